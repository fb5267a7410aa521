"""Airflow reads its settings when it is imported, so they are made before."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-tests-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

from fake_databricks import FakeDatabricks, serve


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AIRFLOW_HOME"])


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDatabricks]:
    """A Jobs API that the connection `databricks_default` leads to."""
    with serve() as fake:
        connection = {
            "conn_type": "databricks",
            "schema": "http",
            "host": "127.0.0.1",
            "port": fake.port,
            "password": "a-token-for-tests",
        }
        monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps(connection))
        yield fake
