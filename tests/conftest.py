"""The Spark session of all tests, on the engine that `--engine` names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from pyspark.sql import SparkSession
from serving import session_on_sail
from support.engines import ENGINES, NoEngine
from support.spark_sessions import current_session, forget_current_session


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=ENGINES,
        default="sail",
        help="what runs the Spark code: sail (started here), spark (the Spark Connect server at $SPARK_REMOTE)"
        " or databricks (your workspace, as databricks-connect is configured)",
    )
    parser.addoption("--catalog", help="where the tests create their schemas, if not the engine's")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "local_files: the engine has to read files of this machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    engine = config.getoption("--engine")
    if not ENGINES[engine].sees_local_files:
        skip = pytest.mark.skip(reason=f"{engine} cannot read files of this machine")
        for item in items:
            if item.get_closest_marker("local_files"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def no_test_leaves_a_current_session() -> Iterator[None]:
    """The next test's functions would ask it, and wait for its engine."""
    yield
    left = current_session()
    forget_current_session()
    assert left is None, "Make Spark sessions with support.spark_sessions: this test leaves one."


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.config.getoption("--engine")
    return name


@pytest.fixture(scope="session")
def catalog(request: pytest.FixtureRequest, engine: str) -> str:
    return request.config.getoption("--catalog") or ENGINES[engine].catalog


@pytest.fixture(scope="session")
def spark(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session for the run. On Sail its catalog is the local workspace's."""
    try:
        with ENGINES[engine].session(tmp_path_factory.mktemp("workspace")) as session:
            yield session
    except NoEngine as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture
def sail_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], AbstractContextManager[SparkSession]]:
    """A session on Sail beside that of another engine."""
    return lambda: session_on_sail(tmp_path_factory.mktemp("sail"))
