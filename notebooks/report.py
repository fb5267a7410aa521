# Databricks notebook source
# MAGIC %md
# MAGIC # Report
# MAGIC Draws the share of one country's electricity that hydro, solar and wind supply, and writes the chart and its table
# MAGIC to the reports volume; for the World also the ranking of the countries with the highest shares.

# COMMAND ----------

dbutils.widgets.text("catalog", "main")
dbutils.widgets.text("schema", "renewables")
dbutils.widgets.text("country", "World")
dbutils.widgets.text("reports", "/Volumes/main/renewables/reports")

# COMMAND ----------

from pathlib import Path

from renewables.report import WORLD, overview, report
from renewables.schemas import Schema

schema = Schema(dbutils.widgets.get("catalog"), dbutils.widgets.get("schema"))
country, folder = dbutils.widgets.get("country"), Path(dbutils.widgets.get("reports"))
result = report(spark, schema, country, folder)
print(f"{result.chart}\n{result.table}")

# COMMAND ----------

display(result.figure)

# COMMAND ----------

display(result.years)

# COMMAND ----------

if country == WORLD:
    ranking = overview(spark, schema, folder)
    print(f"{ranking.chart}\n{ranking.table}")
    display(ranking.figure)
