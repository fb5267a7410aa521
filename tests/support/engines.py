"""The Spark session that the tests use, on the engine that `--engine` names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from unittest import mock

from pyspark.sql import SparkSession
from serving import session_on_sail

from support.spark_sessions import SparkSessions, spark_session


class NoEngine(Exception):
    """The engine that was asked for cannot be reached."""


class Sessions(Protocol):
    def __call__(self, state: Path, /) -> AbstractContextManager[SparkSession]:
        """A session; an engine that is started for it keeps its tables in the folder `state`."""


@dataclass(frozen=True)
class EngineKind:
    """Where the session comes from, the catalog that tests write to, and whether it sees this machine's files."""

    session: Sessions
    catalog: str
    sees_local_files: bool


@contextmanager
def _spark(_: Path) -> Iterator[SparkSession]:
    if "SPARK_REMOTE" not in os.environ:
        raise NoEngine(
            "--engine spark needs SPARK_REMOTE, the sc:// URL of a server: `make parity` starts one."
        )
    with spark_session(os.environ["SPARK_REMOTE"]) as session:
        yield session


@contextmanager
def _databricks(_: Path) -> Iterator[SparkSession]:
    with mock.patch.dict(os.environ), SparkSessions() as sessions:
        # databricks-connect would prefer it to the workspace.
        os.environ.pop("SPARK_REMOTE", None)
        try:
            session = sessions.create()
        except Exception as error:
            raise NoEngine(
                f"--engine databricks found no workspace ({error}): run `databricks auth login`, and set"
                " DATABRICKS_CONFIG_PROFILE, and DATABRICKS_CLUSTER_ID or DATABRICKS_SERVERLESS_COMPUTE_ID=auto."
            ) from error
        yield session


ENGINES = {
    "sail": EngineKind(session_on_sail, "main", sees_local_files=True),
    "spark": EngineKind(_spark, "spark_catalog", sees_local_files=True),
    "databricks": EngineKind(_databricks, "main", sees_local_files=False),
}
