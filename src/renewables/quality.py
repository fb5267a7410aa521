"""How much of the data breaks a rule, and the stop when that is too much."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.errors import BadData
from renewables.parameters import parameters


def main() -> None:
    """Fail with the numbers; the job runs this when its condition on them is not met."""
    given = parameters(
        "quarantined_percent", "max_quarantined_percent", rows_read="?", rows_quarantined="?"
    )
    raise BadData(
        f"{given['quarantined_percent']} % of the rows in the newest files break a rule, and at most "
        f"{given['max_quarantined_percent']} % may; of the {given['rows_read']} rows that this run read, "
        f"{given['rows_quarantined']} do. Gold was not computed. See the reasons in "
        "quarantine_share_electricity; load corrected files, or run the job with a higher "
        "max_quarantined_percent."
    )


def quarantined_percent(revisions: DataFrame) -> float:
    """The share of quarantined rows, 0-100, in the newest file of each source; 0 where there is none.

    It depends on the tables alone and not on what the last run read, so running the job again does
    not let bad data pass, and a corrected file does.
    """
    counts = F.struct("rows_quarantined", "rows_read")
    newness = F.struct("_source_modified_at", "_loaded_at", "_content_hash")
    row = (
        revisions.groupBy("source")
        .agg(F.max_by(counts, newness).alias("newest"))
        .agg(
            (100.0 * F.sum("newest.rows_quarantined") / F.sum("newest.rows_read")).alias("percent")
        )
        .first()
    )
    return float(row["percent"]) if row and row["percent"] is not None else 0.0
