"""bronze -> silver and quarantine: the valid rows of the newest file on each entity and source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files, append_rows
from renewables.changes import Change, changes
from renewables.checks import Survey, breaks, check, valid, with_types
from renewables.errors import LostRows
from renewables.excess import is_withheld, release, settled, withhold
from renewables.merge import fill, merge
from renewables.newest import newest
from renewables.quality import quarantined_percent
from renewables.revisions import Revision, live, of_files, revisions
from renewables.rules import WARNINGS
from renewables.schemas import QUARANTINE, REVISIONS, Schema, Tables
from renewables.small import small


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

    def __str__(self) -> str:
        rows = f"{self.rows_read} rows read = {self.rows_kept} kept + {self.rows_quarantined} quarantined"
        share = (
            f"{self.quarantined_percent:.2f} % of the rows in the newest files are in quarantine"
        )
        warned = (f"{n} rows kept with a warning: {name}" for name, n in self.warnings.items())
        return "\n".join([rows, share, *warned])


def refresh(spark: SparkSession, schema: Schema) -> Refresh:
    """Bring silver and quarantine up to date with bronze.

    Reads only the loads after the watermark, which moves with silver's data in one commit. What is
    killed before that commit is done again, and doing a load again changes nothing. Raises LostRows.
    """
    tables = Tables(spark, schema)
    since = watermark(spark, tables)
    unread = spark.table(tables.bronze).where(newer_than(since))
    new, known = revisions(unread), revisions(spark.table(tables.revisions))
    if not new:
        release(spark, tables, live(known))
        return Refresh(0, 0, 0, _quarantined_percent(spark, tables))
    change = Change.of(known, new)
    typed = unread.transform(with_types)
    survey = Survey.of(typed, of_files(change.current))
    checked = check(typed, survey)
    counted = _record(checked, tables, change, new)
    if not counted.rows_quarantined:
        # What holds for all rows need not be found out again for each.
        checked = checked.withColumn("is_valid", F.lit(True))
    kept = checked.transform(valid).where(of_files(change.current))
    put = newest(kept) if change.is_contested else kept
    rows = changes(small(put) if since else put, tables, change)
    rows = small(rows) if since else rows
    if known or survey.exceeds:
        held = spark.table(tables.silver).where(~of_files(change.outdated)) if since else None
        withhold(rows, held, tables, change.present)
    rows = settled(rows, tables, change.present)
    _write(small(rows) if since else rows, tables, change, is_first=since is None)
    _note_nothing(spark, tables, new)
    release(spark, tables, change.present)
    return _with_withheld(counted, spark, tables, change)


def watermark(spark: SparkSession, tables: Tables) -> int | None:
    """The newest load that silver was brought to, in microseconds, which need no time zone on their way.

    It is the newest one in silver, or one of which nothing was left to put there.
    """
    left_nothing = spark.table(tables.revisions).where("leaves_nothing")
    loads = spark.table(tables.silver).select("_loaded_at").union(left_nothing.select("_loaded_at"))
    row = loads.agg(F.unix_micros(F.max("_loaded_at")).alias("micros")).first()
    assert row is not None
    micros: int | None = row["micros"]
    return micros


def newer_than(micros: int | None) -> Column:
    if micros is None:
        return F.lit(True)
    return F.col("_loaded_at") > F.timestamp_micros(F.lit(micros))


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
    rejected = spark.table(tables.quarantine).where(of_files(change.new) & ~is_withheld()).count()
    if read != in_bronze or read != kept + broken or broken > rejected:
        raise LostRows(
            f"Of {in_bronze} rows in bronze {read} were read, {kept} are valid and {rejected} are in "
            f"quarantine, which should have {broken}: silver was left as it was. Run the job again."
        )
    warnings = {rule.name: sum(count[rule.name] for count in counts.values()) for rule in WARNINGS}
    return Refresh(read, kept, broken, 0.0, {name: n for name, n in warnings.items() if n})


def _with_withheld(
    counted: Refresh, spark: SparkSession, tables: Tables, change: Change
) -> Refresh:
    """The numbers once the sums are judged: what they withhold of the new files is in quarantine too."""
    quarantine = spark.table(tables.quarantine)
    withheld = quarantine.where(of_files(change.new) & is_withheld()).count()
    return replace(
        counted,
        rows_kept=counted.rows_kept - withheld,
        rows_quarantined=counted.rows_quarantined + withheld,
        quarantined_percent=_quarantined_percent(spark, tables),
    )


def _quarantined_percent(spark: SparkSession, tables: Tables) -> float:
    return quarantined_percent(spark.table(tables.revisions), spark.table(tables.quarantine))


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
            False,
        )
        for revision in new
    ]
    types = {"TIMESTAMP": "BIGINT"}
    schema = ", ".join(f"{c.name} {types.get(c.type, c.type)}" for c in REVISIONS.columns)
    times = [column.name for column in REVISIONS.columns if column.type in types]
    return spark.createDataFrame(rows, schema).withColumns(
        {name: F.timestamp_micros(name) for name in times}
    )


def _write(changes: DataFrame, tables: Tables, change: Change, is_first: bool) -> None:
    if is_first:
        fill(changes, tables.silver)
    else:
        merge(changes, tables.silver, change.outdated | change.beside)


def _note_nothing(spark: SparkSession, tables: Tables, new: list[Revision]) -> None:
    """Move the watermark where silver cannot: it has no row of the newest load, and needs none."""
    newest_load = max(revision.loaded_at for revision in new)
    if watermark(spark, tables) != newest_load:
        spark.sql(
            f"UPDATE {tables.revisions} SET leaves_nothing = true"
            f" WHERE _loaded_at = timestamp_micros({newest_load})"
        )
