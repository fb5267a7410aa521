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


def tables(spark: SparkSession, counts: dict[str, tuple[int, int]]) -> tuple[DataFrame, DataFrame]:
    """Revisions and quarantine with as many rows read and quarantined as `counts` says."""
    revisions = [(name, *FILES[name], read) for name, (read, _) in counts.items()]
    quarantine = [(name,) for name, (_, broken) in counts.items() for _ in range(broken)]
    schema = (
        "_content_hash STRING, source STRING, _source_modified_at TIMESTAMP, _loaded_at TIMESTAMP,"
        " rows_read BIGINT"
    )
    return (
        spark.createDataFrame(revisions, schema),
        spark.createDataFrame(quarantine, "_content_hash STRING"),
    )


@pytest.mark.parametrize(
    ("counts", "percent"),
    [
        ({}, 0.0),
        ({"wind": (3, 0)}, 0.0),
        ({"wind": (4, 1)}, 25.0),
        ({"wind": (3, 0), "hydro 1": (1, 1)}, 25.0),
        # A corrected file makes good what was wrong with the one before.
        ({"hydro 2": (4, 0), "hydro 1": (4, 4)}, 0.0),
        ({"hydro 1": (4, 0), "hydro 2": (4, 4)}, 100.0),
        ({"hydro 2": (8, 4), "hydro 2 again": (4, 1)}, 25.0),
    ],
)
def test_looks_at_the_newest_file_of_each_source(
    spark: SparkSession, counts: dict[str, tuple[int, int]], percent: float
) -> None:
    assert quarantined_percent(*tables(spark, counts)) == percent


def test_stops_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {
        "quarantined_percent": "2.5000000000000004",
        "max_quarantined_percent": "1.0",
        "rows_read": "40",
        "rows_quarantined": "1",
        "catalog": "main",
    }
    arguments = [f"--{name}={value}" for name, value in parameters.items()]
    monkeypatch.setattr(sys, "argv", ["renewables", *arguments])
    with pytest.raises(BadData) as error:
        main()
    message = str(error.value)
    assert message.startswith(
        "2.5 % of the rows in the newest files are in quarantine, and at most 1.0 % may be. "
        "This run read 40 rows and put 1 there. Gold was not computed."
    )
    assert message.endswith("or run the job with a higher max_quarantined_percent.")
