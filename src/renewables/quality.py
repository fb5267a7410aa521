"""How much of the data breaks a rule, and the stop when that is too much."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame

from renewables.errors import BadData
from renewables.parameters import parameters
from renewables.revisions import Revision, of_files


def main() -> None:
    """Fail with the numbers; the job runs this when its condition on them is not met."""
    given = parameters(
        "quarantined_percent", "max_quarantined_percent", rows_read="?", rows_quarantined="?"
    )
    raise BadData(
        f"{float(given['quarantined_percent']):.4g} % of the rows in the newest files are in quarantine, and "
        f"at most {given['max_quarantined_percent']} % may be. This run read {given['rows_read']} rows and put "
        f"{given['rows_quarantined']} there. Gold was not computed. See the reasons in "
        "quarantine_share_electricity; load corrected files, or run the job with a higher "
        "max_quarantined_percent."
    )


def quarantined_percent(revisions: Iterable[Revision], quarantine: DataFrame) -> float:
    """The share of quarantined rows, 0-100, in the newest file of each source; 0 where there is none.

    It depends on the tables alone and not on what the last run read, so running the job again does
    not let bad data pass, and a corrected file does.
    """
    newest = {r.source: r for r in sorted(revisions, key=lambda revision: revision.newness)}
    rows = sum(revision.rows_read for revision in newest.values())
    broken = quarantine.where(of_files([r.content_hash for r in newest.values()])).count()
    return 100.0 * broken / rows if rows else 0.0
