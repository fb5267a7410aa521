"""The newest of several files with rows for one entity and source."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

KEY = ("entity", "year", "source")
"""What silver has one row for."""

SERIES = ("entity", "source")
"""What one file speaks for as a whole: a year that it does not list is not known."""

NEWNESS = ("_source_modified_at", "_loaded_at", "_content_hash")
"""What makes a file newer: its time at the source, then its arrival; the hash only settles ties."""


def newest(rows: DataFrame) -> DataFrame:
    """Of the rows for one entity and source those of the newest file."""
    by_age = Window.partitionBy(*SERIES).orderBy(*(F.desc(name) for name in NEWNESS))
    return rows.withColumn("age", F.rank().over(by_age)).where("age = 1").drop("age")
