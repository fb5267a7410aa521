# Databricks notebook source
# MAGIC %md
# MAGIC # Silver
# MAGIC Types and checks the new rows of bronze. Silver has the valid values of the newest file per entity and source;
# MAGIC rows that break a rule go to quarantine with the reasons.

# COMMAND ----------

dbutils.widgets.text("catalog", "main")
dbutils.widgets.text("schema", "renewables")

# COMMAND ----------

from renewables.gold import outdated
from renewables.schemas import QUARANTINE, Schema
from renewables.silver import refresh

schema = Schema(dbutils.widgets.get("catalog"), dbutils.widgets.get("schema"))
result = refresh(spark, schema)
for name in ("quarantined_percent", "rows_read", "rows_quarantined"):
    dbutils.jobs.taskValues.set(name, getattr(result, name))
for name, value in vars(outdated(spark, schema)).items():
    dbutils.jobs.taskValues.set(name, value)

# COMMAND ----------

columns = ["reasons", "entity", "year", "percent", "source", "_source_file", "_loaded_at"]
display(spark.table(schema.table(QUARANTINE)).orderBy("_loaded_at", ascending=False).select(columns).limit(100))

# COMMAND ----------

# `databricks bundle run` and whoever asks for the task's output get this.
dbutils.notebook.exit(str(result))
