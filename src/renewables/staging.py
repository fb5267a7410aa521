"""Rows that are used several times and computed once.

An engine computes a DataFrame anew at each use. Caching is no remedy everywhere, Databricks' serverless
compute has none: https://docs.databricks.com/compute/serverless/limitations
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from renewables.schemas import Schema

MOST_ROWS = 10_000
"""That this process holds as literals; more would be a burden for its memory, whatever the size of the tables."""

PREFIX = "staging_silver_"


@dataclass(frozen=True)
class Rows:
    """A DataFrame; `table` has its rows, if this process knows them."""

    frame: DataFrame
    table: pa.Table | None = None

    @property
    def is_empty(self) -> bool:
        return self.frame.isEmpty() if self.table is None else not self.table.num_rows


@dataclass
class Staging:
    """Keeps few rows as literals, and many in tables of a schema."""

    spark: SparkSession
    schema: Schema
    tables: list[str] = field(default_factory=list)

    def keep(self, rows: DataFrame, struct: StructType) -> Rows:
        """The same rows, to be used several times, with the columns of `struct`."""
        # To name the columns spares asking the engine for them.
        named = rows.to(struct)
        table = named.limit(MOST_ROWS + 1).toArrow()
        if table.num_rows > MOST_ROWS:
            return Rows(self._stage(named, struct))
        if not table.num_rows:
            return Rows(self.spark.createDataFrame([], struct), table)
        # Without the columns' comments, which Sail would miss in what it plans for literals.
        plain = pa.schema([(column.name, column.type) for column in table.schema])
        return Rows(self.spark.createDataFrame(table.cast(plain)), table)

    def _stage(self, rows: DataFrame, struct: StructType) -> DataFrame:
        if not self.tables:
            self._drop_leftovers()
        table = self.schema.table(PREFIX + uuid4().hex)
        self.tables.append(table)
        columns = ", ".join(f"{column.name} {column.dataType.simpleString()}" for column in struct)
        self.spark.sql(f"CREATE TABLE {table} ({columns}) USING DELTA")
        rows.writeTo(table).append()
        return self.spark.table(table)

    def _drop_leftovers(self) -> None:
        """Drop what a killed process left behind."""
        for table in self.spark.catalog.listTables(self.schema.full_name, f"{PREFIX}*"):
            self._drop(self.schema.table(table.name))

    def drop(self) -> None:
        while self.tables:
            self._drop(self.tables.pop())

    def _drop(self, table: str) -> None:
        self.spark.sql(f"DROP TABLE IF EXISTS {table}")


@contextmanager
def staging(spark: SparkSession, schema: Schema) -> Iterator[Staging]:
    """A staging whose tables are dropped in the end."""
    kept = Staging(spark, schema)
    try:
        yield kept
    finally:
        kept.drop()
