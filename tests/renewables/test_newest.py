from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.checks import valid, with_types
from renewables.newest import newest

BronzeRows = Callable[..., DataFrame]


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ((day(3), day(5)), (day(2), day(9))),
        ((day(3), day(6)), (day(3), day(5))),
    ],
    ids=["by the source's time", "by arrival if that is equal"],
)
def test_keeps_the_newest_revision(
    bronze_rows: BronzeRows,
    newer: tuple[datetime, datetime],
    older: tuple[datetime, datetime],
) -> None:
    revisions = [
        bronze_rows(
            ("Chad", "TCD", "2020", percent),
            _content_hash=percent,
            _source_modified_at=modified_at,
            _loaded_at=loaded_at,
        )
        for percent, (modified_at, loaded_at) in {"1": older, "2": newer}.items()
    ]
    for one, other in permutations(revisions):
        typed = one.union(other).transform(with_types).withColumn("is_valid", F.lit(True))
        kept = typed.transform(valid).transform(newest)
        assert [row["percent"] for row in kept.collect()] == [2.0]
