"""The Spark session of all tests, on the engine that `--engine` names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from databricks.connect import DatabricksSession
from pyspark.sql import SparkSession
from serving import session_on_sail


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=ENGINES,
        default="sail",
        help="what runs the Spark code: sail (started here), spark (the Spark Connect server at $SPARK_REMOTE)"
        " or databricks (your workspace, as databricks-connect is configured)",
    )


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.config.getoption("--engine")
    return name


@pytest.fixture(scope="session")
def spark(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session for the run. On Sail its catalog is the local workspace's."""
    with ENGINES[engine](tmp_path_factory.mktemp("workspace")) as session:
        yield session
        session.stop()


@pytest.fixture
def sail_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], AbstractContextManager[SparkSession]]:
    """A session on Sail beside that of another engine."""
    return lambda: session_on_sail(tmp_path_factory.mktemp("sail"))


@contextmanager
def _spark(_: Path) -> Iterator[SparkSession]:
    if "SPARK_REMOTE" not in os.environ:
        raise pytest.UsageError("--engine spark needs SPARK_REMOTE, the sc:// URL of a server.")
    yield DatabricksSession.builder.remote(os.environ["SPARK_REMOTE"]).create()


@contextmanager
def _databricks(_: Path) -> Iterator[SparkSession]:
    yield DatabricksSession.builder.create()


ENGINES = {"sail": session_on_sail, "spark": _spark, "databricks": _databricks}
