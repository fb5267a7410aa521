from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files
from renewables.errors import UnboundParameter
from renewables.gold import FIRST, GOLD_SQL, LAST, Outdated, outdated, statements
from renewables.schemas import BRONZE, LINEAGE, SILVER, Schema, Tables
from renewables.silver import refresh

BronzeRows = Callable[..., DataFrame]
ComputeGold = Callable[[Schema], DataFrame]
Silver = Callable[..., None]

SILVER_ROWS = [
    ("Chad", "TCD", 2020, 10.5, "hydro"),
    ("Chad", "TCD", 2020, 0.0, "solar"),
    ("Chad", "TCD", 2020, 2.25, "wind"),
    # Wind is not known: the sum is not known either.
    ("Chad", "TCD", 2021, 11.0, "hydro"),
    ("Chad", "TCD", 2021, 1.0, "solar"),
    ("Africa", None, 2020, 4.0, "wind"),
    # One source has no code for it.
    ("Mali", None, 2020, 5.0, "hydro"),
    ("Mali", "MLI", 2020, 6.0, "solar"),
    # No source reports a value.
    ("Mali", "MLI", 2022, None, "hydro"),
]

GOLD_ROWS = {
    ("Chad", "TCD", 2020, 10.5, 0.0, 2.25, 12.75),
    ("Chad", "TCD", 2021, 11.0, 1.0, None, None),
    ("Africa", None, 2020, None, None, 4.0, None),
    ("Mali", "MLI", 2020, 5.0, 6.0, None, None),
}


@pytest.fixture
def silver(spark: SparkSession, schema: Schema, bronze_rows: BronzeRows) -> Silver:
    """A file of hydro with percents by entity comes to bronze and to silver."""
    bronze = schema.create(spark, BRONZE)
    loads = count()

    def bring(percents: dict[str, int], address: str = "a.csv", modified: int = 1) -> None:
        content_hash = uuid4().hex
        rows = bronze_rows(
            *((entity, "XXX", "2020", str(percent)) for entity, percent in percents.items()),
            _source_file=address,
            _content_hash=content_hash,
            _source_modified_at=datetime(2026, 1, modified, tzinfo=UTC),
            _loaded_at=datetime(2026, 2, 1, tzinfo=UTC) + timedelta(seconds=next(loads)),
        )
        append_files(rows, bronze, [content_hash])
        refresh(spark, schema)

    return bring


def hydro(gold: DataFrame) -> dict[str, float]:
    rows = gold.collect()
    found = {row["entity"]: row["hydro_percent"] for row in rows}
    assert len(found) == len(rows)
    return found


def fill_silver(spark: SparkSession, schema: Schema) -> str:
    table = Tables.create(spark, schema).silver
    values = "entity STRING, code STRING, year INT, percent DOUBLE, source STRING"
    lineage = [F.lit(None).cast(c.type).alias(c.name) for c in LINEAGE if c.name != "source"]
    rows = spark.createDataFrame(SILVER_ROWS, values).select("*", *lineage)
    rows.select(*SILVER.column_names).writeTo(table).append()
    return table


def test_missing_is_not_zero(
    spark: SparkSession, schema: Schema, compute_gold: ComputeGold
) -> None:
    fill_silver(spark, schema)
    gold = compute_gold(schema)
    assert gold.dtypes == [
        ("entity", "string"),
        ("code", "string"),
        ("year", "int"),
        ("hydro_percent", "double"),
        ("solar_percent", "double"),
        ("wind_percent", "double"),
        ("shw_percent", "double"),
    ]
    assert {tuple(row) for row in gold.collect()} == GOLD_ROWS


def test_follows_silver(schema: Schema, silver: Silver, compute_gold: ComputeGold) -> None:
    """Inserts, revisions and deletions; and what gold did not compute at once, it computes later."""
    silver({"Chad": 1, "Mali": 2, "Niger": 3, "It's": 4})
    assert hydro(compute_gold(schema)) == {"Chad": 1, "Mali": 2, "Niger": 3, "It's": 4}
    silver({"Mali": 7, "Oman": 8}, address="b.csv", modified=2)
    assert hydro(compute_gold(schema)) == {"Chad": 1, "Mali": 7, "Niger": 3, "It's": 4, "Oman": 8}
    silver({"Chad": 5, "Niger": 3}, modified=3)
    silver({"Peru": 9}, address="c.csv")
    assert hydro(compute_gold(schema)) == {"Chad": 5, "Mali": 7, "Niger": 3, "Oman": 8, "Peru": 9}
    silver({"Oman": 8}, address="b.csv", modified=4)
    assert hydro(compute_gold(schema)) == {"Chad": 5, "Niger": 3, "Oman": 8, "Peru": 9}


def test_computes_what_changed(
    spark: SparkSession, schema: Schema, silver: Silver, compute_gold: ComputeGold
) -> None:
    def part() -> tuple[str, str]:
        now = outdated(spark, schema)
        return now.first_entity, now.last_entity

    Tables.create(spark, schema)
    assert part() == (FIRST, LAST)
    silver({"Chad": 1, "Mali": 2, "Niger": 3}, modified=2)
    assert part() == (FIRST, LAST)
    compute_gold(schema)
    assert part() == (LAST, FIRST)
    silver({"Mali": 7, "Oman": 8}, address="b.csv", modified=3)
    assert part() == ("Mali", "Oman")
    # What is older than what silver has changes nothing.
    silver({"Chad": 4}, modified=1)
    assert part() == ("Mali", "Oman")


@pytest.fixture
def stopped_gold(spark: SparkSession, schema: Schema) -> Callable[[int], None]:
    """Runs only so many statements of gold.sql."""

    def run(most: int) -> None:
        part = outdated(spark, schema)
        for statement in statements(GOLD_SQL.read_text(encoding="utf-8"), schema, part)[:most]:
            spark.sql(statement)

    return run


@pytest.mark.parametrize("done", [0, 1, 2])
def test_what_stops_is_done_again(
    schema: Schema,
    silver: Silver,
    compute_gold: ComputeGold,
    stopped_gold: Callable[[int], None],
    done: int,
) -> None:
    for modified, rows in enumerate(({"Chad": 1, "Mali": 2}, {"Mali": 3}), 1):
        silver(rows, modified=modified)
        stopped_gold(done)
        silver({"Peru": modified}, address="b.csv", modified=modified)
        assert hydro(compute_gold(schema)) == {**rows, "Peru": modified}


def test_names_a_parameter_without_a_value() -> None:
    sql = GOLD_SQL.read_text(encoding="utf-8").replace("'wind'", ":third")
    with pytest.raises(UnboundParameter, match=r"^gold\.sql has the parameter :third where"):
        statements(sql, Schema("main", "s"), Outdated(FIRST, LAST, 0))
