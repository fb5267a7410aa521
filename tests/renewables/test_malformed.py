"""What becomes of each file in fixtures/malformed, as its outcomes.csv says, all of them in one load."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from renewables.discover import discover
from renewables.extract import extract
from renewables.landing import landed_files
from renewables.load import load
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, Schema
from renewables.silver import refresh

pytestmark = pytest.mark.local_files

FOLDER = Path(__file__).parents[2] / "fixtures" / "malformed"


@dataclass(frozen=True)
class Outcome:
    file: str
    kept: str
    quarantined: str
    reason: str


with (FOLDER / "outcomes.csv").open(encoding="utf-8") as table:
    OUTCOMES = [Outcome(**row) for row in csv.DictReader(table)]


@dataclass(frozen=True)
class Found:
    """By file name: rows kept and quarantined, and all reasons."""

    kept: dict[str, int]
    quarantined: dict[str, int]
    reasons: dict[str, list[str]]


@pytest.fixture(scope="module")
def found(
    spark: SparkSession, module_schema: Schema, tmp_path_factory: pytest.TempPathFactory
) -> Found:
    landing = tmp_path_factory.mktemp("landing")
    for file in discover(str(FOLDER)):
        if not file.endswith("outcomes.csv"):
            extract(file, landing)
    load(spark, landed_files(landing), module_schema, "1")
    refresh(spark, module_schema)
    kept, quarantined, reasons = {}, Counter[str](), dict[str, list[str]]()
    for row in spark.table(module_schema.table(REVISIONS)).collect():
        kept[Path(row["_source_file"]).name] = row["rows_kept"]
    for row in spark.table(module_schema.table(QUARANTINE)).collect():
        name = Path(row["_source_file"]).name
        quarantined[name] += row["_position"] is not None
        reasons.setdefault(name, []).extend(row["reasons"])
    return Found(kept, quarantined, reasons)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.file)
def test_outcome(found: Found, outcome: Outcome) -> None:
    reasons = found.reasons.get(outcome.file, [])
    if outcome.kept:
        assert found.kept[outcome.file] == int(outcome.kept)
        assert found.quarantined.get(outcome.file, 0) == int(outcome.quarantined)
    else:
        assert outcome.file not in found.kept
        assert reasons[0].startswith(str(FOLDER / outcome.file))
    assert all(outcome.reason in reason for reason in reasons[:1])
    assert bool(reasons) == bool(outcome.reason)


def test_nothing_disappears(found: Found, spark: SparkSession, module_schema: Schema) -> None:
    rows = spark.table(module_schema.table(BRONZE)).count()
    assert rows == sum(found.kept.values()) + sum(found.quarantined.values())
    assert set(found.kept) | set(found.reasons) == {outcome.file for outcome in OUTCOMES}


def test_there_are_enough() -> None:
    assert len(OUTCOMES) >= 40
