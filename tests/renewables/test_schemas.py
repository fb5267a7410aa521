"""Tables that an older version of the pipeline created."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from renewables.errors import OtherColumnType
from renewables.schemas import LINEAGE, Column, Schema, Table

OLD = Table("old", "As it was", (Column("entity", "STRING", "Country"), *LINEAGE))
NEW = Table(
    "old",
    "As it is",
    (
        Column("entity", "STRING", "Country"),
        Column("is_new", "BOOLEAN", "Since the year's last version"),
        *LINEAGE,
        Column("reasons", "ARRAY<STRING>", "Why"),
        Column("rows_read", "BIGINT", "Rows"),
    ),
)


def test_get_the_columns_that_they_lack(spark: SparkSession, schema: Schema) -> None:
    name = schema.create(spark, OLD)
    spark.sql(
        f"INSERT INTO {name} SELECT 'Chad', 'hydro', 'a.csv', 'aaaa', now(), now() + INTERVAL 1 DAY"
    )
    assert schema.create(spark, NEW) == schema.create(spark, NEW) == name
    added = {"is_new": "boolean", "reasons": "array<string>", "rows_read": "bigint"}
    table = spark.table(name)
    assert table.columns == [*OLD.column_names, *added]
    assert dict(table.dtypes).items() >= added.items()
    assert table.select("entity", *added).collect() == [("Chad", None, None, None)]


def test_are_refused_where_a_column_has_another_type(spark: SparkSession, schema: Schema) -> None:
    schema.create(spark, OLD)
    other = Table("old", "", (Column("entity", "INT", "A number"),))
    with pytest.raises(OtherColumnType, match=r"`old` has entity as string, .* writes int: rename"):
        schema.create(spark, other)
