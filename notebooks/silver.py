# Databricks notebook source
# MAGIC %md
# MAGIC # Silver
# MAGIC Types and checks the new rows of bronze. Silver has the valid values of the newest file per entity and source;
# MAGIC rows that break a rule go to quarantine with the reasons.

# COMMAND ----------

dbutils.widgets.text("catalog", "main")
dbutils.widgets.text("schema", "renewables")

# COMMAND ----------

from renewables.schemas import QUARANTINE, Schema
from renewables.silver import refresh

schema = Schema(dbutils.widgets.get("catalog"), dbutils.widgets.get("schema"))
result = refresh(spark, schema)
for name in ("quarantined_percent", "rows_read", "rows_quarantined"):
    dbutils.jobs.taskValues.set(name, getattr(result, name))
print(result)

# COMMAND ----------

display(spark.table(schema.table(QUARANTINE)).orderBy("_loaded_at", ascending=False).limit(100))
