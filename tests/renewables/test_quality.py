from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from renewables.errors import BadData
from renewables.quality import main, quarantined_percent

FILES = {
    "hydro 1": ("hydro", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    "hydro 2": ("hydro", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    "hydro 2 again": ("hydro", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)),
    "wind": ("wind", datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
}


def rows_of(spark: SparkSession, counts: dict[str, int]) -> DataFrame:
    """As many rows of each file as `counts` says."""
    rows = [(name, *FILES[name]) for name, count in counts.items() for _ in range(count)]
    schema = "_content_hash STRING, source STRING, _source_modified_at TIMESTAMP, _loaded_at TIMESTAMP"  # fmt: skip
    return spark.createDataFrame(rows, schema)


@pytest.mark.parametrize(
    ("kept", "quarantined", "percent"),
    [
        ({}, {}, 0.0),
        ({"wind": 3}, {}, 0.0),
        ({"wind": 3}, {"wind": 1}, 25.0),
        ({"wind": 3}, {"hydro 1": 1}, 25.0),
        # A corrected file makes good what was wrong with the one before.
        ({"hydro 2": 4}, {"hydro 1": 4}, 0.0),
        ({"hydro 1": 4}, {"hydro 2": 4}, 100.0),
        ({"hydro 2": 4, "hydro 2 again": 1}, {"hydro 2": 4, "hydro 2 again": 1}, 50.0),
    ],
)
def test_looks_at_the_newest_file_of_each_source(
    spark: SparkSession, kept: dict[str, int], quarantined: dict[str, int], percent: float
) -> None:
    assert quarantined_percent(rows_of(spark, kept), rows_of(spark, quarantined)) == percent


def test_stops_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = ["--quarantined_percent=2.5", "--max_quarantined_percent=1.0", "--catalog=main"]
    monkeypatch.setattr(sys, "argv", ["renewables", *parameters])
    with pytest.raises(BadData, match=r"^2\.5 % of the rows .* at most 1\.0 % may: gold was not"):
        main()
