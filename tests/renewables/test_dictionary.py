from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from renewables.dictionary import gold, page
from renewables.schemas import TABLES, Schema, Table, Tables

ROOT = Path(__file__).parents[2]
GOLD_SQL = (ROOT / "sql" / "gold.sql").read_text(encoding="utf-8")
GOLD = gold(GOLD_SQL)


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == page(GOLD_SQL)


@pytest.mark.parametrize("table", [*TABLES, GOLD], ids=lambda table: table.name)
def test_tables_have_these_columns_and_comments(
    spark: SparkSession,
    schema: Schema,
    compute_gold: Callable[[Schema], DataFrame],
    table: Table,
) -> None:
    if table is GOLD:
        Tables.create(spark, schema)
        compute_gold(schema)
    else:
        schema.create(spark, table)
    rows = spark.sql(f"DESCRIBE TABLE EXTENDED {schema.table(table)}").collect()
    end = [row["col_name"] for row in rows].index("")
    found = [(row["col_name"], row["data_type"].upper(), row["comment"]) for row in rows[:end]]
    assert found == [(column.name, column.type, column.comment) for column in table.columns]
    details = {row["col_name"]: row["data_type"] for row in rows[end:]}
    assert details["Comment"] == table.comment
