from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.errors import UnboundParameter
from renewables.gold import GOLD_SQL, statements
from renewables.schemas import LINEAGE, SILVER, Schema

ComputeGold = Callable[[Schema], DataFrame]

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


def fill_silver(spark: SparkSession, schema: Schema) -> str:
    table = schema.create(spark, SILVER)
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


def test_follows_silver(spark: SparkSession, schema: Schema, compute_gold: ComputeGold) -> None:
    silver = fill_silver(spark, schema)
    assert compute_gold(schema).count() == 4
    spark.sql(f"DELETE FROM {silver} WHERE entity = 'Chad'")
    assert {row["entity"] for row in compute_gold(schema).collect()} == {"Africa", "Mali"}


def test_names_a_parameter_without_a_value() -> None:
    sql = GOLD_SQL.read_text(encoding="utf-8").replace("'wind'", ":third")
    with pytest.raises(UnboundParameter, match=r"^gold\.sql has the parameter :third where"):
        statements(sql, Schema("main", "s"))
