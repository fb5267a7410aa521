"""Entities and years for which the sources report more than the whole: in quarantine, not in silver.

Nobody can tell which of the values is wrong, so all are withheld, and come back when a revision
makes the sum fit. That depends on what the current files say, and not on which of them came first.
In quarantine such rows have SUM_RULE as their only reason.
"""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from renewables.append import append_rows
from renewables.checks import breaks, with_types
from renewables.newest import newest
from renewables.revisions import of_files
from renewables.rules import SUM_RULE
from renewables.schemas import LINEAGE, QUARANTINE, SILVER, Tables
from renewables.staging import Rows, Staging
from renewables.sums import GROUP, totals

GROUPS = StructType([SILVER.struct[name] for name in GROUP])

PLACE = ("_content_hash", "_position")
"""What tells one row of all files from another."""


def is_withheld() -> Column:
    """Whether a row of quarantine is there for the sum alone."""
    return F.col("reasons") == F.array(F.lit(SUM_RULE.name))


def withheld_groups(tables: Tables, kept: Staging) -> Rows:
    """The entities and years of which quarantine has rows for the sum alone."""
    withheld = kept.spark.table(tables.quarantine).where(is_withheld()).transform(with_types)
    return kept.keep(withheld.select(*(f"typed.{name}" for name in GROUP)).distinct(), GROUPS)


def withhold(
    changes: DataFrame,
    held: DataFrame | None,
    withheld: Rows,
    tables: Tables,
    current: set[str],
    kept: Staging,
) -> Rows:
    """Put into quarantine all current values of an entity and year that changes bring over the limit.

    `held` are the rows of silver that remain, but for those that `changes` replace. Returns what quarantine
    has then, as `withheld_groups` does.
    """
    over = totals(changes.where("NOT is_removed"), held).where(breaks(SUM_RULE)).select(*GROUP)
    both = over if withheld.is_empty else over.unionByName(withheld.frame).distinct()
    groups = kept.keep(both, GROUPS)
    if groups.is_empty:
        return groups
    rows = _judged(tables, groups, current).where("is_over")
    append_rows(rows.transform(_rejected), tables.quarantine, current)
    return withheld_groups(tables, kept)


def settled(changes: DataFrame, groups: Rows, tables: Tables, current: set[str]) -> DataFrame:
    """The changes of silver that remove what is withheld, and put what is so no longer."""
    rows = _judged(tables, groups, current).withColumnRenamed("is_over", "is_removed")
    others = changes.where("NOT is_removed").join(groups.frame, [*GROUP], "left_anti")
    return (
        changes.where("is_removed")
        .unionByName(others.select(*changes.columns))
        .unionByName(rows.select(*changes.columns))
    )


def release(groups: Rows, tables: Tables, current: set[str]) -> None:
    """Remove from quarantine what the sum withholds no longer; where it is current, silver has it by now."""
    if groups.is_empty:
        return
    spark = groups.frame.sparkSession
    over = _judged(tables, groups, current).where("is_over").select(*PLACE)
    withheld = spark.table(tables.quarantine).where(is_withheld()).select(*PLACE)
    free = withheld.join(over, [*PLACE], "left_anti")
    if not free.isEmpty():
        spark.sql(
            f"MERGE INTO {tables.quarantine} AS held USING {{free}} AS free"
            " ON held._content_hash = free._content_hash AND held._position = free._position"
            " WHEN MATCHED THEN DELETE",
            free=free,
        )


def candidates(spark: SparkSession, tables: Tables, content_hashes: Collection[str]) -> DataFrame:
    """The typed rows of these files, all of them read before, that break no rule by themselves."""
    rows = spark.table(tables.bronze).where(of_files(content_hashes))
    broken = spark.table(tables.quarantine).where(of_files(content_hashes) & ~is_withheld())
    return rows.join(broken.select(*PLACE), [*PLACE], "left_anti").transform(with_types)


def _rejected(judged: DataFrame) -> DataFrame:
    """The rows as quarantine has them."""
    reasons = F.array(F.lit(SUM_RULE.name)).alias("reasons")
    lineage = (column.name for column in LINEAGE)
    return judged.select("raw.*", "_position", reasons, *lineage)


def _judged(tables: Tables, groups: Rows, current: set[str]) -> DataFrame:
    """The newest row per source of each of these entities and years: silver's columns, `_position` and `raw`.

    Adds `is_over`, whether they exceed the limit together.
    """
    raw = F.struct(*QUARANTINE.column_names[:4]).alias("raw")
    rows = candidates(groups.frame.sparkSession, tables, current).select(
        "typed.*", *(column.name for column in LINEAGE), "_position", raw
    )
    of_entities = rows.join(groups.frame.select("entity").distinct(), ["entity"], "left_semi")
    latest = of_entities.transform(newest).join(groups.frame, [*GROUP], "left_semi")
    sums = totals(latest, None)
    return latest.join(sums, [*GROUP]).withColumn("is_over", breaks(SUM_RULE))
