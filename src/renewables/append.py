"""Appending rows to a table, each once."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

MOST_LOOKUPS = 30
"""Files that are looked up one by one; a plan for more of them would be too long."""


def append_files(rows: DataFrame, table: str, content_hashes: Collection[str]) -> None:
    """Append the rows of every file that `table` does not hold yet, in one commit.

    Rows of one file share `_content_hash`, and all of them are committed together, so a file is
    known by any one of its rows. `content_hashes` are those of all files in `rows`.
    """
    _insert(rows, table, content_hashes, ("_content_hash",))


def append_rows(rows: DataFrame, table: str, content_hashes: Collection[str]) -> None:
    """Append the rows of files that `table` does not hold yet, each known by file and position, in one commit."""
    _insert(rows, table, content_hashes, ("_content_hash", "_position"))


def held_hashes(table: DataFrame, content_hashes: Collection[str]) -> list[str]:
    """Those of the content hashes that some row of the table has."""
    if not content_hashes:
        return []
    rows = table.select("_content_hash").where(F.col("_content_hash").isin(sorted(content_hashes)))
    if len(content_hashes) <= MOST_LOOKUPS:
        # Of each the first row will do. Of all of them an engine reads every row.
        each = (rows.where(F.col("_content_hash") == one).limit(1) for one in content_hashes)
        rows = reduce(DataFrame.union, each)
    return [row["_content_hash"] for row in rows.distinct().collect()]


def _insert(
    rows: DataFrame, table: str, content_hashes: Collection[str], key: tuple[str, ...]
) -> None:
    """Insert the rows whose key the table has not.

    The table may change between a read and the write, and an append does not conflict with another
    append. Hence MERGE: it matches against the version that it commits upon, and a MERGE that lost
    the race to another one fails instead of being committed on top. The list of hashes spares the
    engine reading the files of the table that have others. The columns are named, because a table
    that was created long ago has its newer ones last.
    """
    columns = rows.columns
    same = " AND ".join(f"held.{column} = new.{column}" for column in key)
    in_question = ", ".join(f"'{content_hash}'" for content_hash in sorted(content_hashes))
    rows.sparkSession.sql(
        f"MERGE INTO {table} AS held USING {{new}} AS new"
        f" ON {same} AND held._content_hash IN ({in_question})"
        f" WHEN NOT MATCHED THEN INSERT ({', '.join(columns)})"
        f" VALUES ({', '.join(f'new.{column}' for column in columns)})",
        new=rows,
    )
