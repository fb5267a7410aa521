"""Catalogs in a whole workspace: one truth for the SDK, SQL, jobs and databricks-connect, also after a restart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.workspace import ImportFormat
from pyspark.sql import SparkSession
from served import Served, result_of
from support.spark_sessions import SparkSessions
from support.waiting import wait_until
from support.workspace_process import WorkspaceProcess, workspace_process

from local_workspace.settings import read_env_file
from local_workspace.statement import Rows, rows_of

WAREHOUSE = "10ca110ca1000001"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcess]:
    with workspace_process(tmp_path_factory.mktemp("catalogs") / "state") as process:
        process.start()
        yield process


@pytest.fixture
def client(process: WorkspaceProcess) -> WorkspaceClient:
    return process.client()


def new_session(process: WorkspaceProcess, sessions: SparkSessions) -> SparkSession:
    """As databricks-connect makes one with the variables of workspace.env."""
    remote = read_env_file(process.state.env_file)["SPARK_REMOTE"]
    session = sessions.create(remote)
    session.conf.set("spark.sql.sources.default", "delta")
    return session


def rows(client: WorkspaceClient, statement: str, catalog: str | None = None) -> Rows:
    return rows_of(client, statement, catalog)[1]


def test_a_catalog_is_one_for_all_clients_and_for_the_next_start(
    process: WorkspaceProcess, client: WorkspaceClient
) -> None:
    with SparkSessions() as sessions:
        _share_a_new_catalog(process, client, sessions)
    process.stop()
    restarted = process.start()
    assert restarted.catalogs.get("wind").comment == "turbines"
    with SparkSessions() as sessions:
        again = new_session(process, sessions)
        again.sql("USE CATALOG wind")
        assert again.sql("SELECT sum(a) FROM t").collect() == [(3,)]
    restarted.catalogs.delete("wind", force=True)
    assert rows(restarted, "SHOW CATALOGS") == [["main"]]
    assert not list(process.state.tables.iterdir())


def _share_a_new_catalog(
    process: WorkspaceProcess, client: WorkspaceClient, sessions: SparkSessions
) -> None:
    before = new_session(process, sessions)
    client.catalogs.create("wind", comment="turbines")
    client.volumes.create("wind", "default", "landing", VolumeType.MANAGED)
    client.files.upload("/Volumes/wind/default/landing/a.csv", io.BytesIO(b"a\n1\n"))
    rows(client, "CREATE TABLE t (a INT)", catalog="wind")
    copy = "COPY INTO t FROM '/Volumes/wind/default/landing' FILEFORMAT = CSV"
    options = "FORMAT_OPTIONS ('header' = 'true', 'inferSchema' = 'true')"
    rows(client, f"{copy} {options}", catalog="wind")
    assert rows(client, "SELECT count(*) FROM t", catalog="WIND") == [["1"]]
    after = new_session(process, sessions)
    after.sql("USE CATALOG wind")
    after.sql("INSERT INTO t VALUES (2)")
    assert before.sql("SELECT sum(a) FROM wind.default.t").collect() == [(3,)]
    assert rows(client, "SHOW CATALOGS") == [["main"], ["wind"]]


def test_no_server_outlives_a_workspace_that_is_killed(tmp_path: Path) -> None:
    with workspace_process(tmp_path / "state") as process:
        process.start().catalogs.create("wind")
        assert process.process is not None
        children = psutil.Process(process.process.pid).children(recursive=True)
        assert any("sail.py" in " ".join(child.cmdline()) for child in children)
        process.kill()
        wait_until(lambda: not any(_lives(child) for child in children), "the end of all processes")


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_notebook_uses_the_catalog_that_it_creates(served: Served) -> None:
    notebook = (
        "spark.sql('CREATE CATALOG IF NOT EXISTS tide')\n"
        "spark.sql('USE CATALOG tide')\n"
        "spark.sql('CREATE TABLE t AS SELECT 1 AS a')\n"
        "from databricks.connect import DatabricksSession\n"
        "session = DatabricksSession.builder.getOrCreate()\n"
        "row = session.sql('SELECT current_catalog(), a FROM t').collect()[0]\n"
        "dbutils.notebook.exit(str(tuple(row)))"
    )
    assert served.result(notebook) == "('tide', 1)"
    served.client.catalogs.delete("tide", force=True)


def test_a_sql_file_uses_the_catalog_that_it_creates(served: Served) -> None:
    script = (
        "CREATE CATALOG sun; USE CATALOG sun; CREATE SCHEMA farms; USE farms;"
        "CREATE TABLE t AS SELECT 1 AS a; DROP CATALOG IF EXISTS absent"
    )
    path = "/Workspace/Shared/sun.sql"
    served.client.workspace.upload(path, io.BytesIO(script.encode()), format=ImportFormat.RAW)
    run_id = served.submit(sql_task={"warehouse_id": WAREHOUSE, "file": {"path": path}})
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    assert served.client.tables.get("sun.farms.t").columns
    served.client.catalogs.delete("sun", force=True)
