"""What silver has to put and to remove so that it says what the present files say.

A file speaks for the entities that it lists: of an entity and source silver has the values of the
newest present file with a valid row for it, and no others. So a revision drops what it lacks, under
its old address or another one, and a file on some entities leaves the others alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StructField, StructType

from renewables.checks import with_types
from renewables.excess import candidates, is_withheld
from renewables.newest import KEY, SERIES, newest
from renewables.revisions import Revision, live, of_files
from renewables.schemas import LINEAGE, SILVER, Tables
from renewables.span import Span
from renewables.staging import Staging

CHANGES = StructType([*SILVER.struct, StructField("is_removed", BooleanType())])
"""What `changes` gives."""


@dataclass(frozen=True)
class Change:
    """Content hashes: `new` files are read now, `current` ones of them are what their addresses say now.

    `outdated` files are older revisions that silver may have; `beside` are present and not new.
    `sources` are what new and outdated files report on, and `rivals` those beside that do so too.
    `is_contested`: several current ones report on the same source.
    """

    new: set[str]
    current: set[str]
    outdated: set[str]
    beside: set[str]
    sources: set[str]
    rivals: set[str]
    is_contested: bool

    @property
    def present(self) -> set[str]:
        """All files that are what their addresses say now."""
        return self.current | self.beside

    @property
    def is_current(self) -> Column:
        """Whether a row of a new file is of a current one."""
        return F.lit(True) if self.current == self.new else of_files(self.current)

    @classmethod
    def of(cls, known: list[Revision], new: list[Revision]) -> Change:
        present = live([*known, *new])
        new_hashes = {revision.content_hash for revision in new}
        outdated = {revision.content_hash for revision in known} - present
        beside = present - new_hashes
        sources = {r.source for r in [*known, *new] if r.content_hash in new_hashes | outdated}
        rivals = {r.content_hash for r in known if r.source in sources} & beside
        current = [r for r in new if r.content_hash in present]
        is_contested = len({r.source for r in current}) < len(current)
        current_hashes = present & new_hashes
        return cls(new_hashes, current_hashes, outdated, beside, sources, rivals, is_contested)


def changes(valid: DataFrame, tables: Tables, change: Change, kept: Staging) -> DataFrame:
    """The rows to put and to remove, one per key, from the valid rows of the current new files.

    They have the columns CHANGES, of silver and `is_removed`.
    """
    if not change.rivals and not change.outdated:
        return as_put(valid)
    put = kept.keep(valid, SILVER.struct)
    held = _held(valid.sparkSession, tables, change)
    if change.rivals:
        of_same = held.where(Span.of(put, SERIES).condition(SERIES))
        won = _won(put.frame, of_same.where(of_files(change.rivals)))
        put = kept.keep(won, SILVER.struct)
        held = held if change.outdated else of_same
    if change.rivals and change.outdated:
        gone = held.where(of_files(change.outdated))
        restored = _restored(put.frame, gone, tables, change)
        put = kept.keep(put.frame.unionByName(restored), SILVER.struct)
    superseded = _superseded(held, put.frame, change)
    return as_put(put.frame).unionByName(superseded.withColumn("is_removed", F.lit(True)))


def as_put(rows: DataFrame) -> DataFrame:
    """The rows as changes that put each of them."""
    return rows.withColumn("is_removed", F.lit(False))


def _superseded(held: DataFrame, put: DataFrame, change: Change) -> DataFrame:
    """Of the rows held those that no present file gives now, and that no row put replaces."""
    is_superseded = of_files(change.outdated)
    if change.rivals:
        series = put.select(*SERIES, F.lit(True).alias("is_put")).distinct()
        held = held.join(series, [*SERIES], "left")
        is_superseded = is_superseded | F.col("is_put")
    rows = held.where(is_superseded).join(put.select(*KEY), [*KEY], "left_anti")
    return rows.select(*SILVER.column_names)


def _held(spark: SparkSession, tables: Tables, change: Change) -> DataFrame:
    """What silver has of outdated files and rivals, or has not because their sum is withheld."""
    of_them = of_files(change.outdated | change.rivals)
    withheld = spark.table(tables.quarantine).where(of_them & is_withheld()).transform(with_types)
    columns = ["typed.*", *(column.name for column in LINEAGE)]
    silver = spark.table(tables.silver).where(of_them)
    return silver.unionByName(withheld.select(*columns).select(*SILVER.column_names))


def _won(put: DataFrame, rivals: DataFrame) -> DataFrame:
    """The rows of entities and sources for which no rival is newer."""
    facing = rivals.join(put.select(*SERIES).distinct(), [*SERIES], "left_semi")
    both = put.withColumn("is_new", F.lit(True)).unionByName(
        facing.withColumn("is_new", F.lit(False))
    )
    return newest(both).where("is_new").drop("is_new")


def _restored(put: DataFrame, outdated: DataFrame, tables: Tables, change: Change) -> DataFrame:
    """The rivals' rows of entities that a new revision lists no longer."""
    gone = outdated.select(*SERIES).distinct().join(put.select(*SERIES), [*SERIES], "left_anti")
    typed = candidates(put.sparkSession, tables, change.rivals)
    rows = typed.select("typed.*", *(column.name for column in LINEAGE))
    rows = rows.join(gone, [*SERIES], "left_semi").transform(newest)
    return rows.select(*put.columns)
