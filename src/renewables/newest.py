"""The newest of several rows for one entity, year and source."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

KEY = ("entity", "year", "source")
NEWNESS = ("_source_modified_at", "_loaded_at", "_content_hash")
"""What makes a row newer: its revision's time at the source, then its arrival; the hash only settles ties."""


def newest(rows: DataFrame) -> DataFrame:
    """Of the rows for one key the newest one."""
    by_age = Window.partitionBy(*KEY).orderBy(*(F.desc(name) for name in NEWNESS))
    return rows.withColumn("age", F.row_number().over(by_age)).where("age = 1").drop("age")
