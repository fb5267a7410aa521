"""Silver and quarantine follow from which files there are, and not from the order in which they came.

Some hundred small histories run side by side in the same tables, each with entities and addresses of
its own: every order of arrival of four files that one source after the other may have changed, and
loads with several of them.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from pyspark.sql import DataFrame, SparkSession

from renewables.append import append_files
from renewables.gold import GOLD
from renewables.rules import SUM_RULE
from renewables.schemas import BRONZE, QUARANTINE, SILVER, Schema
from renewables.silver import refresh
from renewables.staging import MOST_ROWS

Key = tuple[str, int, str]

START = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESSES = {"hydro.csv": "hydro", "hydro-2.csv": "hydro", "solar.csv": "solar", "wind.csv": "wind"}
ENTITIES, YEARS = ("Chad", "Mali"), (2020, 2021)
SHAPES = 4
# Two of 60 are too much together, 60 and 30 are not.
TEXTS = ("30", "60", "60", "101", "x", "")


@dataclass(frozen=True)
class File:
    """A content that an address had from day `modified` on."""

    address: str
    modified: int
    rows: tuple[tuple[str, int, str], ...]

    @property
    def source(self) -> str:
        return ADDRESSES[self.address.rpartition("/")[2]]


def history(example: str, rng: random.Random) -> list[File]:
    """Four files: some addresses have several revisions, which drop, add, change and break values."""
    files = []
    for modified in range(4):
        keys = [(entity, year) for entity in ENTITIES for year in YEARS if rng.random() < 0.7]
        keys += rng.sample(keys, k=len(keys) > 2)
        rows = [(f"{entity} {example}", year, rng.choice(TEXTS)) for entity, year in keys]
        address = f"{example}/{rng.choice(list(ADDRESSES))}"
        files.append(File(address, modified, tuple(rows) or ((example, 2020, "1"),)))
    return files


def expected(files: list[File]) -> tuple[dict[Key, str], set[tuple[Key, int, bool]]]:
    """Silver's values, and quarantine: key, day of the file, and whether it is there for the sum."""
    present = {file.address: file for file in files}.values()
    values: dict[Key, tuple[str, int]] = {}
    quarantine = set()
    for file in files:
        rows: dict[Key, tuple[str, int]] = {}
        seen = set()
        for entity, year, text in file.rows:
            key = (entity, year, file.source)
            if text in ("x", "101") or key in seen:
                quarantine.add((key, file.modified, False))
            else:
                rows[key] = text, file.modified
            seen.add(key)
        if file in present:
            listed = {(entity, source) for entity, _, source in rows}
            values = {key: value for key, value in values.items() if key[::2] not in listed} | rows
    totals: dict[tuple[str, int], float] = defaultdict(float)
    for (entity, year, _), (text, _) in values.items():
        totals[entity, year] += float(text or 0)
    over = {key for key in values if totals[key[:2]] > 100.5}
    quarantine |= {(key, values[key][1], True) for key in over}
    return {key: text for key, (text, _) in values.items() if key not in over}, quarantine


def histories() -> Iterator[tuple[list[File], tuple[int, ...]]]:
    """Histories, each with the number of the load in which each of its files comes."""
    rng = random.Random(7)
    for shape in range(SHAPES):
        batches = [tuple(rng.randrange(4) for _ in range(4)) for _ in range(8)]
        orders = [*permutations(range(4)), *batches]
        state = rng.getstate()
        for number, order in enumerate(orders):
            # The same files for each order, but for the names.
            rng.setstate(state)
            yield history(f"{shape}-{number}", rng), order


@pytest.fixture
def load_files(spark: SparkSession, schema: Schema) -> Callable[[list[File], int], None]:
    bronze = schema.create(spark, BRONZE)
    columns = ", ".join(f"{column.name} {column.type}" for column in BRONZE.columns)

    def load(files: list[File], number: int) -> None:
        rows = [
            (
                *(entity, "XXX", str(year), text, position),
                *(file.source, file.address, f"{file.address} {file.modified}"),
                *(START + timedelta(days=file.modified), START + timedelta(days=100 + number)),
                "1",
            )
            for file in files
            for position, (entity, year, text) in enumerate(file.rows)
        ]
        hashes = {f"{file.address} {file.modified}" for file in files}
        append_files(spark.createDataFrame(rows, columns), bronze, hashes)

    return load


@pytest.mark.parametrize("most_rows", [MOST_ROWS, 0], ids=["few rows", "many rows"])
def test_any_order_ends_in_the_same_tables(
    spark: SparkSession,
    schema: Schema,
    load_files: Callable[[list[File], int], None],
    compute_gold: Callable[[Schema], DataFrame],
    monkeypatch: pytest.MonkeyPatch,
    most_rows: int,
) -> None:
    """And gold, brought to some of the loads one by one, to the one that is computed at once."""
    monkeypatch.setattr("renewables.staging.MOST_ROWS", most_rows)
    all_histories = list(histories())
    for number in range(4):
        load_files(
            [
                file
                for files, order in all_histories
                for file, load in zip(files, order, strict=True)
                if load == number
            ],
            number,
        )
        refresh(spark, schema)
        if number != 1:
            gold = compute_gold(schema)
    rows = Counter(gold.collect())
    spark.sql(f"DROP TABLE {schema.table(GOLD)}")
    assert rows == Counter(compute_gold(schema).collect())
    silver, quarantine = {}, set()
    for files, _ in all_histories:
        values, broken = expected(files)
        silver.update(values)
        quarantine |= broken
    assert silver_values(spark, schema) == silver
    assert quarantined(spark, schema) == quarantine
    assert any(is_sum for _, _, is_sum in quarantine)


def silver_values(spark: SparkSession, schema: Schema) -> dict[Key, str]:
    rows = spark.table(schema.table(SILVER)).collect()
    found = {
        (row["entity"], row["year"], row["source"]): f"{row['percent']:g}"
        if row["percent"] is not None
        else ""
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def quarantined(spark: SparkSession, schema: Schema) -> set[tuple[Key, int, bool]]:
    return {
        (
            (row["entity"], int(row["year"]), row["source"]),
            int(row["_content_hash"].rpartition(" ")[2]),
            row["reasons"] == [SUM_RULE.name],
        )
        for row in spark.table(schema.table(QUARANTINE)).collect()
    }
