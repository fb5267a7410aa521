"""Executes the statements that Databricks SQL has and the Spark engine has not (`sql.commands`)."""
