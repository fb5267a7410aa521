"""The whole pipeline on Sail and on the engine of `--engine`: the same rows in the same tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from renewables.discover import discover
from renewables.extract import extract
from renewables.landing import LandedFile, landed_files
from renewables.load import load
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, SILVER, Schema
from renewables.silver import refresh

pytestmark = pytest.mark.local_files

FIXTURES = Path(__file__).parents[2] / "fixtures"
# What differs from run to run; and Spark keeps an empty text in quotes apart from none.
COLUMNS = {
    BRONZE.name: ["trim(entity) AS entity", "year", "source", "_content_hash"],
    SILVER.name: ["entity", "code", "year", "percent", "source", "_content_hash"],
    QUARANTINE.name: ["entity", "year", "reasons", "source", "_content_hash"],
    REVISIONS.name: ["source", "_content_hash", "rows_read", "rows_kept", "rows_quarantined"],
    "gold_shw_share": ["*"],
}


@pytest.fixture
def sail(
    engine: str, sail_session: Callable[[], AbstractContextManager[SparkSession]]
) -> Iterator[SparkSession]:
    if engine == "sail":
        pytest.skip("compares Sail with another engine: make parity")
    with sail_session() as session:
        yield session


@pytest.fixture
def files(tmp_path: Path) -> list[LandedFile]:
    """All fixtures landed, the good ones and the malformed."""
    for folder in ("owid", "malformed"):
        for file in discover(str(FIXTURES / folder)):
            extract(file, tmp_path)
    return landed_files(tmp_path)


def test_the_same_rows(
    sail: SparkSession,
    spark: SparkSession,
    schema: Schema,
    files: list[LandedFile],
    compute_gold_on: Callable[[SparkSession, Schema], DataFrame],
) -> None:
    here = Schema("main", schema.name)
    sail.sql(f"CREATE SCHEMA {here.catalog}.{here.name}")
    for session, place in ((sail, here), (spark, schema)):
        load(session, files, place, "1")
        refresh(session, place)
        compute_gold_on(session, place)
    for name, columns in COLUMNS.items():
        one = sail.table(here.table(name)).selectExpr(*columns)
        other = spark.table(schema.table(name)).selectExpr(*columns)
        by = [column for column in one.columns if column != "reasons"]
        assert_df_equality(
            one.orderBy(*by), other.orderBy(*by), ignore_nullable=True, ignore_metadata=True
        )
