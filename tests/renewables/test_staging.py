from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from renewables.schemas import SILVER, Schema
from renewables.staging import PREFIX, staging

STRUCT = StructType([SILVER.struct["entity"], SILVER.struct["year"]])


def numbers(spark: SparkSession, most: int) -> DataFrame:
    return spark.range(most).selectExpr("CAST(id AS INT) AS year", "'Chad' AS entity")


def staged(spark: SparkSession, schema: Schema) -> list[str]:
    return [t.name for t in spark.catalog.listTables(schema.full_name) if t.name.startswith(PREFIX)]


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 100])
def test_keeps_few_rows_here_and_many_in_a_table(
    spark: SparkSession, schema: Schema, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr("renewables.staging.MOST_ROWS", 2)
    with staging(spark, schema) as kept:
        found = kept.keep(numbers(spark, rows), STRUCT)
        assert found.frame.columns == ["entity", "year"]
        assert {tuple(row) for row in found.frame.collect()} == {("Chad", n) for n in range(rows)}
        assert found.is_empty == (rows == 0)
        assert (found.table is None) == bool(staged(spark, schema)) == (rows > 2)
    assert staged(spark, schema) == []


def test_drops_its_tables_when_the_refresh_fails(
    spark: SparkSession, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that a killed one left behind."""
    monkeypatch.setattr("renewables.staging.MOST_ROWS", 0)
    with staging(spark, schema) as killed:
        killed.keep(numbers(spark, 1), STRUCT)
        with pytest.raises(KeyboardInterrupt):
            keep_and_fail(spark, schema)
        assert staged(spark, schema) == []


def keep_and_fail(spark: SparkSession, schema: Schema) -> None:
    with staging(spark, schema) as failing:
        failing.keep(numbers(spark, 2), STRUCT)
        failing.keep(numbers(spark, 3), STRUCT)
        assert len(staged(spark, schema)) == 2
        raise KeyboardInterrupt
