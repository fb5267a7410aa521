"""Each malformed input and its outcome, all of them in one load: those of fixtures/malformed, and odd names."""

from __future__ import annotations

import runpy
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from pyspark.sql import SparkSession

from renewables.discover import discover
from renewables.extract import extract
from renewables.landing import landed_files
from renewables.load import load
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, Schema
from renewables.silver import refresh

pytestmark = pytest.mark.local_files

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "fixtures" / "make_malformed.py"))


class Outcome(Protocol):
    """A case of fixtures/make_malformed.py; a file that is rejected as a whole has None for both counts."""

    name: str
    kept: int | None
    quarantined: int | None
    reason: str


OUTCOMES: tuple[Outcome, ...] = SCRIPT["CASES"] + SCRIPT["ODD_NAMES"]


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
    folder, landing = tmp_path_factory.mktemp("malformed"), tmp_path_factory.mktemp("landing")
    SCRIPT["write"](folder, OUTCOMES)
    for file in discover(str(folder)):
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


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.name)
def test_outcome(found: Found, outcome: Outcome) -> None:
    reasons = found.reasons.get(outcome.name, [])
    if outcome.kept is not None:
        assert found.kept[outcome.name] == outcome.kept
        assert found.quarantined.get(outcome.name, 0) == outcome.quarantined
    else:
        assert outcome.name not in found.kept
        assert f"/{outcome.name} " in reasons[0]
    assert all(outcome.reason in reason for reason in reasons[:1])
    assert bool(reasons) == bool(outcome.reason)


def test_nothing_disappears(found: Found, spark: SparkSession, module_schema: Schema) -> None:
    rows = spark.table(module_schema.table(BRONZE)).count()
    assert rows == sum(found.kept.values()) + sum(found.quarantined.values())
    assert set(found.kept) | set(found.reasons) == {outcome.name for outcome in OUTCOMES}


def test_there_are_enough() -> None:
    assert len(OUTCOMES) >= 40
