"""bronze -> silver and quarantine: the newest valid value per entity, year and source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files, append_rows
from renewables.checks import Survey, breaks, check, valid, with_types
from renewables.errors import LostRows
from renewables.newest import KEY, newest
from renewables.quality import quarantined_percent
from renewables.revisions import Revision, live, revisions
from renewables.rules import WARNINGS
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, SILVER, Schema, literal


@dataclass(frozen=True)
class Refresh:
    """What became of the rows that a refresh read, and how much of the newest files is in quarantine.

    `warnings` counts the kept rows that break a rule of that severity.
    """

    rows_read: int
    rows_kept: int
    rows_quarantined: int
    quarantined_percent: float
    warnings: dict[str, int] = field(default_factory=dict)


class Tables:
    """The tables that a refresh reads and writes; they are created if they do not exist."""

    def __init__(self, spark: SparkSession, schema: Schema) -> None:
        self.bronze, self.silver, self.quarantine, self.revisions = (
            schema.create(spark, table) for table in (BRONZE, SILVER, QUARANTINE, REVISIONS)
        )


@dataclass(frozen=True)
class Change:
    """Content hashes: `new` files are read now; `current` files are what their sources say now;
    `outdated` ones are older revisions that silver may have; `beside` are current and not new."""

    new: set[str]
    current: set[str]
    outdated: set[str]
    beside: set[str]

    @classmethod
    def of(cls, known: list[Revision], new: list[Revision]) -> Change:
        current = live([*known, *new])
        new_hashes = {revision.content_hash for revision in new}
        known_hashes = {revision.content_hash for revision in known}
        return cls(new_hashes, current & new_hashes, known_hashes - current, current - new_hashes)


def refresh(spark: SparkSession, schema: Schema) -> Refresh:
    """Bring silver and quarantine up to date with bronze.

    Reads only the loads after the newest one in silver, which moves with silver's data in one
    commit. Silver is written last, so what is killed in between is done again, and doing a load
    again changes nothing. Raises LostRows.
    """
    tables = Tables(spark, schema)
    since = watermark(spark.table(tables.silver))
    rows = spark.table(tables.bronze).where(newer_than(since))
    new, known = revisions(rows), revisions(spark.table(tables.revisions))
    if not new:
        return Refresh(0, 0, 0, quarantined_percent(spark.table(tables.revisions)))
    change = Change.of(known, new)
    typed, is_current = rows.transform(with_types), of_files(change.current)
    held = spark.table(tables.silver).where(~of_files(change.outdated)) if since else None
    survey = Survey.of(typed, is_current)
    checked = check(typed, survey, is_current, held)
    refreshed = _record(checked, tables, change, new)
    kept = checked.transform(valid).where(is_current)
    put = newest(kept) if survey.has_repeats else kept
    _write(_with_removals(put, tables, change), tables, change, is_first=since is None)
    return refreshed


def watermark(silver: DataFrame) -> int | None:
    """The newest load in silver, in microseconds, which need no time zone on their way through the client."""
    row = silver.agg(F.unix_micros(F.max("_loaded_at")).alias("micros")).first()
    assert row is not None
    micros: int | None = row["micros"]
    return micros


def newer_than(micros: int | None) -> Column:
    if micros is None:
        return F.lit(True)
    return F.col("_loaded_at") > F.timestamp_micros(F.lit(micros))


def of_files(content_hashes: Collection[str]) -> Column:
    if not content_hashes:
        return F.lit(False)
    return F.col("_content_hash").isin(sorted(content_hashes))


def _record(checked: DataFrame, tables: Tables, change: Change, new: list[Revision]) -> Refresh:
    """Write quarantine and revisions; raises LostRows unless each row that was read is accounted for."""
    spark = checked.sparkSession
    counts = {row["_content_hash"]: row.asDict() for row in _counts(checked).collect()}
    read, kept, broken = (
        sum(count[f"rows_{kind}"] for count in counts.values())
        for kind in ("read", "kept", "quarantined")
    )
    if broken:
        rows = checked.where(~F.col("is_valid")).select(*QUARANTINE.column_names)
        append_rows(rows, tables.quarantine, change.new)
    append_files(_as_rows(spark, new, counts), tables.revisions, change.new)
    in_bronze = spark.table(tables.bronze).where(of_files(change.new)).count()
    rejected = spark.table(tables.quarantine).where(of_files(change.new)).count()
    if read != in_bronze or read != kept + broken or broken > rejected:
        raise LostRows(
            f"Of {in_bronze} rows in bronze {read} were read, {kept} are valid and {rejected} are in "
            f"quarantine, which should have {broken}: silver was left as it was. Run the job again."
        )
    warnings = {rule.name: sum(count[rule.name] for count in counts.values()) for rule in WARNINGS}
    percent = quarantined_percent(spark.table(tables.revisions))
    return Refresh(read, kept, broken, percent, {name: n for name, n in warnings.items() if n})


def _counts(checked: DataFrame) -> DataFrame:
    is_broken = ~F.col("is_valid")
    return checked.groupBy("_content_hash").agg(
        F.count("*").alias("rows_read"),
        F.count_if(~is_broken).alias("rows_kept"),
        F.count_if(is_broken).alias("rows_quarantined"),
        *(F.count_if(~is_broken & breaks(rule)).alias(rule.name) for rule in WARNINGS),
    )


def _as_rows(
    spark: SparkSession, new: list[Revision], counts: dict[str, dict[str, int]]
) -> DataFrame:
    """One row of the table of revisions for each file."""
    columns = [name for name in REVISIONS.column_names if name.startswith("rows_")]
    rows = [
        (
            *(revision.source, revision.source_file, revision.content_hash),
            *(revision.modified_at, revision.loaded_at),
            *(counts[revision.content_hash][name] for name in columns),
        )
        for revision in new
    ]
    types = {"TIMESTAMP": "BIGINT"}
    schema = ", ".join(f"{c.name} {types.get(c.type, c.type)}" for c in REVISIONS.columns)
    times = [column.name for column in REVISIONS.columns if column.type in types]
    return spark.createDataFrame(rows, schema).withColumns(
        {name: F.timestamp_micros(name) for name in times}
    )


def _with_removals(kept: DataFrame, tables: Tables, change: Change) -> DataFrame:
    """The rows `kept` to put, and those to remove: what an outdated revision gave and no file gives now.

    Where another file gives a value for such a key, that one is put. Adds `is_removed`.
    """
    put = kept.withColumn("is_removed", F.lit(False))
    if not change.outdated:
        return put
    silver = kept.sparkSession.table(tables.silver)
    dropped = silver.where(of_files(change.outdated)).join(kept.select(*KEY), [*KEY], "left_anti")
    if change.beside and not dropped.isEmpty():
        others = _valid_rows(tables, kept.sparkSession, change.beside)
        others = others.join(dropped.select(*KEY), [*KEY], "left_semi").transform(newest)
        put = put.unionByName(others.withColumn("is_removed", F.lit(False)))
        dropped = dropped.join(others.select(*KEY), [*KEY], "left_anti")
    removals = dropped.select(*SILVER.column_names).withColumn("is_removed", F.lit(True))
    return put.unionByName(removals)


def _valid_rows(tables: Tables, spark: SparkSession, content_hashes: set[str]) -> DataFrame:
    """What those files have in bronze and not in quarantine, with the columns of silver."""
    place = ["_content_hash", "_position"]
    rows = spark.table(tables.bronze).where(of_files(content_hashes))
    broken = spark.table(tables.quarantine).where(of_files(content_hashes)).select(*place)
    typed = rows.join(broken, place, "left_anti").transform(with_types)
    return typed.withColumn("is_valid", F.lit(True)).transform(valid)


def _write(rows: DataFrame, tables: Tables, change: Change, is_first: bool) -> None:
    """Bring silver to the rows, one per key, where it has no newer ones of a current file."""
    if is_first:
        _fill(rows, tables)
    else:
        _merge(rows, tables, change)


def _fill(rows: DataFrame, tables: Tables) -> None:
    """The same for an empty table. Overwriting conflicts with another refresh at the same time, as MERGE does."""
    columns = ", ".join(SILVER.column_names)
    rows.sparkSession.sql(
        f"INSERT OVERWRITE {tables.silver} SELECT {columns} FROM {{new}} AS new", new=rows
    )


def _merge(rows: DataFrame, tables: Tables, change: Change) -> None:
    is_outdated = "false"
    if change.outdated:
        hashes = ", ".join(f"'{content_hash}'" for content_hash in sorted(change.outdated))
        is_outdated = f"old._content_hash IN ({hashes})"
    rows.sparkSession.sql(
        f"MERGE INTO {tables.silver} AS old USING {{new}} AS new"
        " ON old.entity = new.entity AND old.year = new.year AND old.source = new.source"
        f" AND {_within(rows)}"
        " WHEN MATCHED AND new.is_removed THEN DELETE"
        f" WHEN MATCHED AND ({is_outdated} OR new._source_modified_at > old._source_modified_at"
        " OR (new._source_modified_at = old._source_modified_at"
        " AND new._loaded_at > old._loaded_at)) THEN UPDATE SET "
        + ", ".join(f"{name} = new.{name}" for name in SILVER.column_names)
        + f" WHEN NOT MATCHED AND NOT new.is_removed THEN INSERT ({', '.join(SILVER.column_names)})"
        f" VALUES ({', '.join(f'new.{name}' for name in SILVER.column_names)})",
        new=rows,
    )


def _within(rows: DataFrame) -> str:
    """What all rows have in common, as literals: they spare the engine the files of silver beyond."""
    found = rows.agg(
        F.min("entity"), F.max("entity"), F.min("year"), F.max("year"), F.collect_set("source")
    ).first()
    assert found is not None
    if found[0] is None:
        return "false"
    sources = ", ".join(literal(source) for source in sorted(found[4]))
    return (
        f"old.entity BETWEEN {literal(found[0])} AND {literal(found[1])}"
        f" AND old.year BETWEEN {found[2]} AND {found[3]} AND old.source IN ({sources})"
    )
