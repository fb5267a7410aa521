"""Bringing silver to new rows in one commit, at a cost that follows the new rows."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.newest import KEY
from renewables.schemas import SILVER, literal
from renewables.span import Span


def fill(changes: DataFrame, silver: str) -> None:
    """Put the changes into an empty table.

    Overwriting conflicts with another refresh at the same time, as MERGE does.
    """
    # It goes by position, and a table that was created long ago has its newer columns last.
    columns = ", ".join(changes.sparkSession.table(silver).columns)
    changes.sparkSession.sql(
        f"INSERT OVERWRITE {silver} SELECT {columns} FROM {{new}} AS new WHERE NOT is_removed",
        new=changes,
    )


def merge(changes: DataFrame, silver: str, known: Collection[str], within: Span) -> None:
    """Bring silver to the changes, one per key: what a key has from the `known` files goes, what is put comes.

    All keys are `within`. What silver has from another file was put by another refresh at the same
    time, and stays. A row is replaced by a DELETE and an INSERT, because an engine then marks the old
    row (a deletion vector) and leaves the files of silver as they are; an UPDATE makes Sail write anew
    each file that it touches. Hence a row to put comes twice. Grouping proves that no two rows ask for
    the same: Sail otherwise reads all of silver to find out.
    """
    columns = SILVER.column_names
    same = " AND ".join(f"old.{name} = new.{name}" for name in KEY)
    is_known = f"old._content_hash IN ({', '.join(literal(file) for file in sorted(known))})"
    changes.sparkSession.sql(
        f"MERGE INTO {silver} AS old USING {{new}} AS new"
        f" ON {same} AND ({is_known if known else 'false'}) = new.goes AND {within.condition(KEY, 'old.')}"
        " WHEN MATCHED AND new.goes THEN DELETE"
        f" WHEN NOT MATCHED AND NOT new.goes THEN INSERT ({', '.join(columns)})"
        f" VALUES ({', '.join(f'new.{name}' for name in columns)})",
        new=_steps(changes),
    )


def _steps(changes: DataFrame) -> DataFrame:
    """The columns of silver and `goes`: the key's old row goes, or this row comes."""
    steps = F.when(F.col("is_removed"), F.array(F.lit(True))).otherwise(
        F.array(F.lit(True), F.lit(False))
    )
    key = [*KEY, "goes"]
    values = (F.max(name).alias(name) for name in SILVER.column_names if name not in KEY)
    return changes.withColumn("goes", F.explode(steps)).groupBy(*key).agg(*values)
