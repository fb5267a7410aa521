# Databricks notebook source
# MAGIC %md
# MAGIC # Report
# MAGIC Draws the share of one country's electricity that hydro, solar and wind supply, and writes the chart and its table
# MAGIC to the reports volume.

# COMMAND ----------

dbutils.widgets.text("catalog", "main")
dbutils.widgets.text("schema", "renewables")
dbutils.widgets.text("country", "World")
dbutils.widgets.text("reports", "/Volumes/main/renewables/reports")

# COMMAND ----------

from pathlib import Path

from renewables.report import report
from renewables.schemas import Schema

schema = Schema(dbutils.widgets.get("catalog"), dbutils.widgets.get("schema"))
result = report(spark, schema, dbutils.widgets.get("country"), Path(dbutils.widgets.get("reports")))
print(f"{result.chart}\n{result.table}")

# COMMAND ----------

display(result.figure)

# COMMAND ----------

display(result.years)
