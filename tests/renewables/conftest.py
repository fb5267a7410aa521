"""What the pipeline's tests share: a schema of their own, bronze rows, and gold's SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame, SparkSession

from local_workspace.sql.parameters import Parameter, bind
from local_workspace.sql.script import split
from renewables.gold import outdated
from renewables.schemas import BRONZE, Schema

ROOT = Path(__file__).parents[2]

BronzeRows = Callable[..., DataFrame]


@contextmanager
def new_schema(spark: SparkSession, catalog: str) -> Iterator[Schema]:
    schema = Schema(catalog, f"test_{uuid4().hex}")
    full_name = f"{schema.catalog}.{schema.name}"
    spark.sql(f"CREATE SCHEMA {full_name}")
    yield schema
    spark.sql(f"DROP SCHEMA {full_name} CASCADE")


@pytest.fixture
def schema(spark: SparkSession, catalog: str) -> Iterator[Schema]:
    """An empty schema, which is dropped after the test."""
    with new_schema(spark, catalog) as schema:
        yield schema


@pytest.fixture(scope="module")
def module_schema(spark: SparkSession, catalog: str) -> Iterator[Schema]:
    """The same for all tests of a module."""
    with new_schema(spark, catalog) as schema:
        yield schema


@pytest.fixture
def bronze_rows(spark: SparkSession) -> BronzeRows:
    """Makes bronze rows from (entity, code, year, percent) texts; further values by column name."""

    def make(*rows: tuple[str | None, ...], **values: object) -> DataFrame:
        shared = {
            "source": "hydro",
            "_source_file": "a.csv",
            "_content_hash": "aaaa",
            "_source_modified_at": datetime(2026, 1, 1, tzinfo=UTC),
            "_loaded_at": datetime(2026, 2, 1, tzinfo=UTC),
            "_run_id": "1",
        }
        tail = list({**shared, **values}.values())
        return spark.createDataFrame(
            [(*row, position, *tail) for position, row in enumerate(rows)],
            ", ".join(f"{column.name} {column.type}" for column in BRONZE.columns),
        )

    return make


@pytest.fixture
def compute_gold_on() -> Callable[[SparkSession, Schema], DataFrame]:
    """Runs sql/gold.sql in a session as the job and its SQL warehouse do, and gives the table."""
    script = split((ROOT / "sql" / "gold.sql").read_text())

    def compute(spark: SparkSession, schema: Schema) -> DataFrame:
        part = asdict(outdated(spark, schema))
        values = {"catalog": schema.catalog, "schema": schema.name, **part}
        parameters = {name: Parameter(str(value)) for name, value in values.items()}
        for statement in script:
            spark.sql(bind(statement, parameters))
        return spark.table(schema.table("gold_shw_share"))

    return compute


@pytest.fixture
def compute_gold(
    spark: SparkSession, compute_gold_on: Callable[[SparkSession, Schema], DataFrame]
) -> Callable[[Schema], DataFrame]:
    """The same in the session of all tests."""
    return lambda schema: compute_gold_on(spark, schema)
