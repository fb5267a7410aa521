"""bronze -> silver and quarantine: typed, checked, the newest value per entity, year and source."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from renewables.append import append_files
from renewables.quality import quarantined_percent
from renewables.rules import RULES
from renewables.schemas import BRONZE, LINEAGE, QUARANTINE, SILVER, Schema

KEY = ("entity", "year", "source")
NEWNESS = ("_source_modified_at", "_loaded_at", "_content_hash")
"""What makes a row newer: its revision's time at the source, then its arrival; the hash only settles ties."""


@dataclass(frozen=True)
class Refresh:
    """What became of the rows that a refresh read, and how much of the newest files is in quarantine."""

    rows_read: int
    rows_quarantined: int
    quarantined_percent: float


def refresh(spark: SparkSession, schema: Schema) -> Refresh:
    """Bring silver and quarantine up to date with bronze.

    Reads only the loads after the newest one in silver. Silver is written last, so what is killed
    in between is done again, and doing a load again changes nothing.
    """
    bronze, silver, quarantine = (
        schema.create(spark, table) for table in (BRONZE, SILVER, QUARANTINE)
    )
    since = _newest_load(spark, silver)
    rows = spark.table(bronze).where(_newer_than(since)).transform(with_types)
    if has_repeats(rows):
        checked = rows.transform(with_occurrence).transform(with_reasons)
        kept = checked.transform(valid).transform(newest)
    else:
        checked = rows.withColumn("occurrence", F.lit(1)).transform(with_reasons)
        kept = checked.transform(valid)
    rows_read, rows_quarantined = _counts(checked)
    if rows_quarantined:
        append_files(checked.transform(broken), quarantine)
    if rows_read:
        merge_newest(kept, silver)
    percent = quarantined_percent(spark.table(silver), spark.table(quarantine))
    return Refresh(rows_read, rows_quarantined, percent)


def with_types(bronze: DataFrame) -> DataFrame:
    """Adds `typed`: entity, code, year INT and percent DOUBLE; null where the text is empty or no such value."""
    typed = F.struct(
        _text("entity").alias("entity"),
        _text("code").alias("code"),
        _cast("year", "INT").alias("year"),
        _cast("percent", "DOUBLE").alias("percent"),
    )
    return bronze.withColumn("typed", typed)


def has_repeats(typed: DataFrame) -> bool:
    """Whether an entity, year and source has several rows. Most loads have none, and need no sorting."""
    key = typed.select("typed.entity", "typed.year", "source")
    return not key.groupBy(*KEY).count().where("count > 1").isEmpty()


def with_occurrence(typed: DataFrame) -> DataFrame:
    """Adds `occurrence`: 1 for the first row of its file with that entity and year, 2 for the second ..."""
    same = Window.partitionBy("_content_hash", "typed.entity", "typed.year").orderBy("_position")
    return typed.withColumn("occurrence", F.row_number().over(same))


def with_reasons(typed: DataFrame) -> DataFrame:
    """Adds `reasons`, the names of all rules that a row breaks; empty for a valid row."""
    reasons = [
        F.when(~F.coalesce(F.expr(rule.condition), F.lit(False)), F.lit(rule.name))
        for rule in RULES
    ]
    return typed.withColumn("reasons", F.array_compact(F.array(*reasons)))


def broken(checked: DataFrame) -> DataFrame:
    """The rows that break a rule, with the columns of quarantine."""
    return checked.where(F.size("reasons") > 0).select(*QUARANTINE.column_names)


def valid(checked: DataFrame) -> DataFrame:
    """The rows that break none, with the columns of silver."""
    kept = checked.where(F.size("reasons") == 0)
    return kept.select("typed.*", *(column.name for column in LINEAGE)).select(*SILVER.column_names)


def newest(rows: DataFrame) -> DataFrame:
    """Of the rows for one entity, year and source the newest one."""
    by_age = Window.partitionBy(*KEY).orderBy(*(F.desc(name) for name in NEWNESS))
    return rows.withColumn("age", F.row_number().over(by_age)).where("age = 1").drop("age")


def merge_newest(rows: DataFrame, silver: str) -> None:
    """Put rows, one per key, into the table `silver` where it has no newer ones."""
    rows.sparkSession.sql(
        f"MERGE INTO {silver} AS old USING {{new}} AS new"
        " ON old.entity = new.entity AND old.year = new.year AND old.source = new.source"
        " WHEN MATCHED AND (new._source_modified_at > old._source_modified_at"
        " OR (new._source_modified_at = old._source_modified_at"
        " AND new._loaded_at > old._loaded_at)) THEN UPDATE SET *"
        " WHEN NOT MATCHED THEN INSERT *",
        new=rows,
    )


def _text(name: str) -> Column:
    return F.expr(f"nullif(trim({name}), '')")


def _cast(name: str, type_name: str) -> Column:
    return F.expr(f"try_cast(trim({name}) AS {type_name})")


def _newest_load(spark: SparkSession, silver: str) -> int | None:
    """In microseconds, which need no time zone on their way through the client."""
    row = spark.table(silver).agg(F.unix_micros(F.max("_loaded_at")).alias("micros")).first()
    assert row is not None
    micros: int | None = row["micros"]
    return micros


def _newer_than(micros: int | None) -> Column:
    if micros is None:
        return F.lit(True)
    return F.col("_loaded_at") > F.timestamp_micros(F.lit(micros))


def _counts(checked: DataFrame) -> tuple[int, int]:
    row = checked.agg(
        F.count("*").alias("all"), F.count_if(F.size("reasons") > 0).alias("broken")
    ).first()
    assert row is not None
    return row["all"], row["broken"]
