from __future__ import annotations

import sys

import pytest
from pyspark.sql import SparkSession

from renewables.errors import BadData
from renewables.quality import main, quarantined_percent
from renewables.revisions import Revision

FILES = {
    "hydro 1": ("hydro", 1, 1),
    "hydro 2": ("hydro", 2, 1),
    "hydro 2 again": ("hydro", 2, 2),
    "wind": ("wind", 0, 1),
}
"""The source, and when the file changed there and was loaded."""


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
    revisions = [
        Revision(source, f"{source}.csv", name, modified_at, loaded_at, counts[name][0])
        for name, (source, modified_at, loaded_at) in FILES.items()
        if name in counts
    ]
    broken = [(name,) for name, (_, broken) in counts.items() for _ in range(broken)]
    quarantine = spark.createDataFrame(broken, "_content_hash STRING")
    assert quarantined_percent(revisions, quarantine) == percent


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
