from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from pyspark.sql import DataFrame, SparkSession

from renewables import silver
from renewables.append import append_files
from renewables.rules import SUM_RULE
from renewables.schemas import BRONZE, QUARANTINE, SILVER, Schema
from renewables.silver import Refresh, refresh

BronzeRows = Callable[..., DataFrame]
Arrive = Callable[..., Refresh]
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def arrive(spark: SparkSession, schema: Schema, bronze_rows: BronzeRows) -> Arrive:
    """A file of each source arrives with Chad's percent in 2020 and Mali's, 30, and silver is refreshed."""
    bronze = schema.create(spark, BRONZE)
    loads = count()

    def append_and_refresh(**percents: str) -> Refresh:
        number = next(loads)
        hashes = {source: f"{source} {number}" for source in percents}
        for source, percent in percents.items():
            rows = bronze_rows(
                ("Chad", "TCD", "2020", percent),
                ("Mali", "MLI", "2020", "30"),
                source=source,
                _source_file=f"{source}.csv",
                _content_hash=hashes[source],
                _source_modified_at=JANUARY + timedelta(days=number),
                _loaded_at=FEBRUARY + timedelta(days=number),
            )
            append_files(rows, bronze, [hashes[source]])
        return refresh(spark, schema)

    return append_and_refresh


@pytest.fixture
def chad(spark: SparkSession, schema: Schema) -> Callable[[], tuple[dict[str, float], set[str]]]:
    """Chad's percents in silver, and the files whose value for it is in quarantine for the sum."""

    def read() -> tuple[dict[str, float], set[str]]:
        rows = spark.table(schema.table(SILVER)).where("entity = 'Chad'").collect()
        quarantine = spark.table(schema.table(QUARANTINE)).collect()
        assert {(row["entity"], *row["reasons"]) for row in quarantine} <= {("Chad", SUM_RULE.name)}
        return {row["source"]: row["percent"] for row in rows}, {
            row["_content_hash"] for row in quarantine
        }

    return read


ReadChad = Callable[[], tuple[dict[str, float], set[str]]]


@pytest.mark.parametrize("wind", ["40.5", "40.51"])
def test_the_sum_of_the_three_has_a_limit(arrive: Arrive, chad: ReadChad, wind: str) -> None:
    is_over = wind == "40.51"
    refreshed = arrive(hydro="40", solar="20", wind=wind)
    assert (refreshed.rows_kept, refreshed.rows_quarantined) == ((3, 3) if is_over else (6, 0))
    kept, withheld = chad()
    assert len(withheld) == (3 if is_over else 0)
    assert kept == ({} if is_over else {"hydro": 40.0, "solar": 20.0, "wind": 40.5})


def test_values_of_earlier_files_are_withheld_too(arrive: Arrive, chad: ReadChad) -> None:
    arrive(hydro="60")
    refreshed = arrive(solar="70")
    assert (refreshed.rows_read, refreshed.rows_quarantined) == (2, 1)
    # Two rows of four, in the newest files.
    assert refreshed.quarantined_percent == 50.0
    assert chad() == ({}, {"hydro 0", "solar 1"})


def test_a_correction_brings_them_back(arrive: Arrive, chad: ReadChad) -> None:
    arrive(hydro="60", solar="70")
    refreshed = arrive(solar="7")
    assert (refreshed.rows_quarantined, refreshed.quarantined_percent) == (0, 0.0)
    assert chad() == ({"hydro": 60.0, "solar": 7.0}, set())


def test_a_source_that_comes_later_is_withheld_with_them(arrive: Arrive, chad: ReadChad) -> None:
    arrive(hydro="60", solar="70")
    assert arrive(wind="1").rows_quarantined == 1
    assert chad() == ({}, {"hydro 0", "solar 0", "wind 1"})


def test_what_was_killed_in_between_is_done_again(
    spark: SparkSession,
    schema: Schema,
    arrive: Arrive,
    chad: ReadChad,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Again and again: before and after each step that writes."""
    arrive(hydro="60", solar="70")
    bring = [lambda: arrive(solar="7"), *[lambda: refresh(spark, schema)] * 5]
    for step in ("withhold", "_write", "release"):
        for is_done in (False, True):
            with monkeypatch.context() as patch:
                patch.setattr(silver, step, killed(getattr(silver, step), is_done))
                with pytest.raises(KeyboardInterrupt):
                    bring.pop(0)()
    refresh(spark, schema)
    assert chad() == ({"hydro": 60.0, "solar": 7.0}, set())


def killed(function: Callable[..., None], is_done: bool) -> Callable[..., None]:
    def call(*args: object, **options: object) -> None:
        if is_done:
            function(*args, **options)
        raise KeyboardInterrupt

    return call


def test_many_stay_with_the_engine(
    arrive: Arrive, chad: ReadChad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("renewables.staging.MOST_ROWS", 0)
    arrive(hydro="60", solar="70")
    assert chad() == ({}, {"hydro 0", "solar 0"})
    arrive(solar="7")
    assert chad() == ({"hydro": 60.0, "solar": 7.0}, set())
