"""How much of the data breaks a rule, and the stop when that is too much."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.errors import BadData
from renewables.parameters import parameters


def main() -> None:
    """Fail with the numbers; the job runs this when its condition on them is not met."""
    given = parameters("quarantined_percent", "max_quarantined_percent")
    raise BadData(
        f"{given['quarantined_percent']} % of the rows in the newest files break a rule, and at most "
        f"{given['max_quarantined_percent']} % may: gold was not computed. See the reasons in "
        "quarantine_share_electricity; load corrected files or raise max_quarantined_percent."
    )


def quarantined_percent(silver: DataFrame, quarantine: DataFrame) -> float:
    """The share of quarantined rows, 0-100, in the newest file of each source; 0 where there is none.

    It depends on the tables alone and not on what the last run read, so running the job again does
    not let bad data pass, and a corrected file does.
    """
    row = (
        _per_file(silver, quarantine)
        .groupBy("source")
        .agg(
            F.max_by(
                F.struct("broken", "total"), F.struct("_source_modified_at", "_loaded_at")
            ).alias("newest")
        )
        .agg((100.0 * F.sum("newest.broken") / F.sum("newest.total")).alias("percent"))
        .first()
    )
    return float(row["percent"]) if row and row["percent"] is not None else 0.0


def _per_file(silver: DataFrame, quarantine: DataFrame) -> DataFrame:
    file = ("source", "_source_modified_at", "_loaded_at", "_content_hash")
    kept = silver.select(*file, F.lit(0).alias("is_broken"))
    rows = kept.unionByName(quarantine.select(*file, F.lit(1).alias("is_broken")))
    return rows.groupBy(*file).agg(F.sum("is_broken").alias("broken"), F.count("*").alias("total"))
