"""bronze -> silver and quarantine: the valid rows of the newest file on each entity and source."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files, append_rows
from renewables.changes import CHANGES, Change, as_put, changes
from renewables.checks import check, valid, with_types
from renewables.errors import LostRows, OtherRefresh
from renewables.excess import is_withheld, release, settled, withheld_groups, withhold
from renewables.merge import merge, replace
from renewables.newest import KEY, newest
from renewables.quality import quarantined_percent
from renewables.revisions import Revision, arrived, live, of_files, recorded
from renewables.schemas import QUARANTINE, REVISIONS, Schema, Tables
from renewables.span import Span
from renewables.staging import Rows, Staging, staging
from renewables.sums import GROUP
from renewables.survey import Survey, Verdict


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


@dataclass(frozen=True)
class Batch:
    """The files that silver reads now, those that it has read before, and what that means for it."""

    new: list[Revision]
    known: list[Revision]
    change: Change

    @property
    def rows_read(self) -> int:
        return sum(revision.rows_read for revision in self.new)

    @property
    def loaded_until(self) -> int:
        """The newest of the loads, as `watermark` gives it."""
        return max(revision.loaded_at for revision in self.new)


def refresh(spark: SparkSession, schema: Schema) -> Refresh:
    """Bring silver and quarantine up to date with bronze.

    Reads only the loads after the watermark, which moves with silver's data in one commit. What is
    killed before that commit is done again, and doing a load again changes nothing. Raises LostRows.
    """
    tables = Tables.create(spark, schema)
    since = watermark(spark, tables)
    unread = spark.table(tables.bronze).where(newer_than(since))
    new, known = arrived(unread), recorded(spark.table(tables.revisions))
    with staging(spark, schema) as kept:
        withheld = withheld_groups(tables, kept)
        if new:
            batch = Batch(new, known, Change.of(known, new))
            return _bring(unread, batch, withheld, tables, kept)
        release(withheld, tables, live(known))
    percent = quarantined_percent(known, spark.table(tables.quarantine))
    return Refresh(0, 0, 0, percent)


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


def _bring(
    unread: DataFrame, batch: Batch, withheld: Rows, tables: Tables, kept: Staging
) -> Refresh:
    """Bring silver to the rows of a batch; `withheld` is what `withheld_groups` gives until now."""
    change = batch.change
    checked, survey = _checked(unread.transform(with_types), change)
    verdict = Verdict.of(checked, survey)
    _quarantine(checked, verdict, survey, batch, tables)
    if survey.is_clean:
        # What holds for all rows need not be found out again for each.
        checked = checked.withColumn("is_valid", F.lit(True))
    current = valid(checked).where(change.is_current)
    put = newest(current) if change.is_contested else current
    found = changes(put, tables, change, kept) if change.rivals else as_put(put)
    rows = Rows(found)
    if change.beside or survey.exceeds or not withheld.is_empty:
        rows = kept.keep(found, CHANGES)
        held = _held(rows, tables, change) if change.beside else None
        withheld = withhold(rows.frame, held, withheld, tables, change.present, kept)
    is_whole = not change.rivals and (withheld.is_empty or not change.beside)
    if not withheld.is_empty:
        # Other sources may lose or get back what they say on the same entity and year.
        found = rows.frame if is_whole or change.rivals else changes(put, tables, change, kept)
        rows = kept.keep(settled(found, withheld, tables, change.present), CHANGES)
    _write(rows, is_whole, verdict, batch, tables)
    release(withheld, tables, change.present)
    return _refreshed(verdict, batch, withheld, unread.sparkSession.table(tables.quarantine))


def _checked(typed: DataFrame, change: Change) -> tuple[DataFrame, Survey]:
    checked = check(typed)
    survey = Survey.of(checked, change.is_current)
    return check(typed, has_repeats=True) if survey.has_repeats else checked, survey


def _quarantine(
    checked: DataFrame, verdict: Verdict, survey: Survey, batch: Batch, tables: Tables
) -> None:
    """Write quarantine; raises LostRows unless each row that was read is accounted for."""
    read, broken, rejected = batch.rows_read, verdict.broken, 0
    if broken:
        rows = checked.where(~F.col("is_valid")).select(*QUARANTINE.column_names)
        append_rows(rows, tables.quarantine, batch.change.new)
        quarantine = rows.sparkSession.table(tables.quarantine)
        rejected = quarantine.where(of_files(batch.change.new) & ~is_withheld()).count()
    if read != survey.rows or broken > rejected:
        raise LostRows(
            f"Of {read} rows in bronze {survey.rows} were read, {survey.rows - broken} are valid and "
            f"{rejected} are in quarantine, which should have {broken}: silver was left as it was. "
            "Run the job again."
        )


def _held(rows: Rows, tables: Tables, change: Change) -> DataFrame:
    """What remains in silver of the entities and years that the rows concern."""
    silver = rows.frame.sparkSession.table(tables.silver)
    return silver.where(~of_files(change.outdated)).where(Span.of(rows, GROUP).condition(GROUP))


def _write(rows: Rows, is_whole: bool, verdict: Verdict, batch: Batch, tables: Tables) -> None:
    """Record the new files, and bring silver to the rows; if `is_whole`, they are all of their sources."""
    spark, change = rows.frame.sparkSession, batch.change
    within = None if is_whole else Span.of(rows, KEY)
    _record(spark, verdict, batch, within, tables)
    if within is None:
        _refuse_others(recorded(spark.table(tables.revisions)), batch)
        replace(rows.frame.where("NOT is_removed"), tables.silver, change.sources)
    else:
        merge(rows, tables.silver, change.outdated | change.beside, within)
    _note_nothing(rows, batch, tables)


def _refuse_others(revisions: list[Revision], batch: Batch) -> None:
    """Raises OtherRefresh if another refresh has recorded files meanwhile, whose rows would be replaced."""
    ours = {revision.content_hash for revision in [*batch.known, *batch.new]}
    if others := sorted(r.source_file for r in revisions if r.content_hash not in ours):
        raise OtherRefresh(
            f"Another refresh brings {', '.join(others)} to silver at the same time: silver was left "
            "as it was. Run the job again."
        )


def _record(
    spark: SparkSession, verdict: Verdict, batch: Batch, within: Span | None, tables: Tables
) -> None:
    """Add the new files to the table of revisions, with the span of entities that gold has to compute anew."""
    edges = (None, None) if within is None else within.edges.get("entity", (None, None))
    is_in_gold = within is not None and not within.edges
    known = {revision.content_hash for revision in batch.known}
    rows = [
        (
            *(revision.source, revision.source_file, revision.content_hash),
            *(revision.modified_at, revision.loaded_at),
            *verdict.counts(revision),
            *(False, *edges, is_in_gold),
        )
        for revision in batch.new
        if revision.content_hash not in known
    ]
    if rows:
        append_files(_revision_rows(spark, rows), tables.revisions, batch.change.new)


def _revision_rows(spark: SparkSession, rows: list[tuple[object, ...]]) -> DataFrame:
    """Rows with the columns of the table of revisions, from tuples with times in microseconds."""
    types = {"TIMESTAMP": "BIGINT"}
    schema = ", ".join(f"{c.name} {types.get(c.type, c.type)}" for c in REVISIONS.columns)
    times = [column.name for column in REVISIONS.columns if column.type in types]
    return spark.createDataFrame(rows, schema).withColumns(
        {name: F.timestamp_micros(name) for name in times}
    )


def _note_nothing(rows: Rows, batch: Batch, tables: Tables) -> None:
    """Move the watermark where silver cannot: it has no row of the newest load, and needs none."""
    spark = rows.frame.sparkSession
    if _newest_put(rows, spark, tables) != batch.loaded_until:
        spark.sql(
            f"UPDATE {tables.revisions} SET leaves_nothing = true"
            f" WHERE _loaded_at = timestamp_micros({batch.loaded_until})"
        )


def _newest_put(rows: Rows, spark: SparkSession, tables: Tables) -> int | None:
    if rows.table is None:
        return watermark(spark, tables)
    loaded_at = rows.table["_loaded_at"].cast(pa.int64()).to_pylist()
    is_removed = rows.table["is_removed"].to_pylist()
    return max(
        (at for at, gone in zip(loaded_at, is_removed, strict=True) if not gone), default=None
    )


def _refreshed(verdict: Verdict, batch: Batch, withheld: Rows, quarantine: DataFrame) -> Refresh:
    """The numbers once the sums are judged: what they withhold of the new files is in quarantine too."""
    of_sums = 0
    if not withheld.is_empty:
        of_sums = quarantine.where(of_files(batch.change.new) & is_withheld()).count()
    broken = verdict.broken + of_sums
    return Refresh(
        batch.rows_read,
        batch.rows_read - broken,
        broken,
        quarantined_percent([*batch.known, *batch.new], quarantine),
        {name: count for name, count in verdict.warnings.items() if count},
    )
