"""Airflow reads its settings when it is imported, so they are made before."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-tests-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

import samples
from dag_runner import DagRunner, migrate
from fake_databricks import FakeDatabricks, serve
from workspace import Workspace, serve_workspace


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AIRFLOW_HOME"])


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDatabricks]:
    """A Jobs API that the connection `databricks_default` leads to."""
    with serve() as fake:
        monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", _connection(fake.port, "a-token"))
        yield fake


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A real local workspace; it starts when the first test needs it."""
    with serve_workspace(tmp_path_factory.mktemp("workspace")) as served:
        samples.install(served)
        yield served


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def airflow(
    request: pytest.FixtureRequest,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> DagRunner:
    """Runs operators not deferrable, then deferrable; `databricks_default` leads to the real workspace."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_DATABRICKS_DEFAULT", _connection(workspace.port, workspace.token)
    )
    migrate()
    return DagRunner(request.param, tmp_path / "gate")


def _connection(port: int, token: str) -> str:
    return json.dumps(
        {
            "conn_type": "databricks",
            "schema": "http",
            "host": "127.0.0.1",
            "port": port,
            "password": token,
        }
    )
