"""Bringing silver to new rows in one commit, at a cost that follows them."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.newest import KEY
from renewables.schemas import SILVER, literal
from renewables.span import Span
from renewables.staging import Rows


def replace(rows: DataFrame, silver: str, sources: Collection[str]) -> None:
    """Put the rows in place of all that silver has of these sources."""
    # It goes by position, and a table that was created long ago has its newer columns last.
    columns = ", ".join(rows.sparkSession.table(silver).columns)
    rows.sparkSession.sql(
        f"INSERT INTO {silver} REPLACE WHERE source IN ({', '.join(map(literal, sorted(sources)))})"
        f" SELECT {columns} FROM {{new}} AS new",
        new=rows,
    )


def merge(changes: Rows, silver: str, known: Collection[str], within: Span) -> None:
    """Bring silver to the changes, one per key: what a key has from the `known` files goes, what is put comes.

    All keys are `within`. What silver has from another file was put by another refresh at the same
    time, and stays.
    """
    same = " AND ".join(f"old.{name} = new.{name}" for name in KEY)
    is_known = f"old._content_hash IN ({', '.join(literal(file) for file in sorted(known))})"
    merge_rows = _merge_many if changes.table is None else _merge_few
    merge_rows(
        changes.frame,
        f"MERGE INTO {silver} AS old USING {{new}} AS new ON {same} AND {within.condition(KEY, 'old.')}",
        is_known if known else "false",
    )


def _merge_few(changes: DataFrame, merge_on_key: str, is_known: str) -> None:
    """A row is replaced by a DELETE and an INSERT, hence comes twice.

    Sail then finds the few rows of silver that go without reading the others. It otherwise has to, to
    see that no two rows ask for the same one; grouping proves it.
    """
    changes.sparkSession.sql(
        f"{merge_on_key} AND ({is_known}) = new.goes"
        f" WHEN MATCHED AND new.goes THEN DELETE WHEN NOT MATCHED AND NOT new.goes THEN {_INSERT}",
        new=_steps(changes),
    )


def _merge_many(changes: DataFrame, merge_on_key: str, is_known: str) -> None:
    """A row is replaced by an UPDATE; twice as many rows would take longer than to read silver."""
    changes.sparkSession.sql(
        f"{merge_on_key} WHEN MATCHED AND {is_known} AND new.is_removed THEN DELETE"
        f" WHEN MATCHED AND {is_known} THEN UPDATE SET *"
        f" WHEN NOT MATCHED AND NOT new.is_removed THEN {_INSERT}",
        new=changes,
    )


_INSERT = (
    f"INSERT ({', '.join(SILVER.column_names)})"
    f" VALUES ({', '.join(f'new.{name}' for name in SILVER.column_names)})"
)


def _steps(changes: DataFrame) -> DataFrame:
    """The columns of silver and `goes`: the key's old row goes, or this row comes."""
    steps = F.when(F.col("is_removed"), F.array(F.lit(True))).otherwise(
        F.array(F.lit(True), F.lit(False))
    )
    key = [*KEY, "goes"]
    values = (F.max(name).alias(name) for name in SILVER.column_names if name not in KEY)
    return changes.withColumn("goes", F.explode(steps)).groupBy(*key).agg(*values)
