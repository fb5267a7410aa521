"""A local Databricks workspace: it speaks the Databricks REST API and runs jobs for real on Spark Connect and Delta.

`api` parses and serialises, `models` decide, `store` persists, `execution` runs; `runtime` is what a task sees in its
own process; `bundle` deploys a bundle through the same REST API that every other client uses.
"""
