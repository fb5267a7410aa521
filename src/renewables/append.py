"""Appending whole files to a table, each content once."""

from __future__ import annotations

from pyspark.sql import DataFrame


def append_files(rows: DataFrame, table: str) -> None:
    """Append the rows of every file that `table` does not hold yet, in one commit.

    Rows of one file share `_content_hash`, and all of them are committed together, so a file is
    known by any one of its rows. The join leaves out the files that are in already. That alone is
    not enough: the table may change between this read and the write, and an append does not
    conflict with another append. Hence MERGE: it matches against the version that it commits upon,
    and a MERGE that lost the race to another one fails instead of being committed on top.
    """
    spark = rows.sparkSession
    held = spark.table(table).select("_content_hash").distinct()
    columns = spark.table(table).columns
    unseen = rows.join(held, "_content_hash", "left_anti").select(*columns)
    spark.sql(
        f"MERGE INTO {table} AS held USING {{unseen}} AS unseen"
        " ON held._content_hash = unseen._content_hash WHEN NOT MATCHED THEN INSERT *",
        unseen=unseen,
    )
