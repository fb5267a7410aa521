"""Writers of one table at the same time, in each place that statements come from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from databricks.connect import DatabricksSession
from databricks.sdk.service.sql import StatementState
from pyspark.sql import SparkSession
from served import Served

from local_workspace.settings import read_env_file

WRITERS, INSERTS = 3, 6
"""Writers in each of the three places, and what each inserts, one by one."""
TASK = f"""
from concurrent.futures import ThreadPoolExecutor

def write(writer):
    for n in range({INSERTS}):
        spark.sql(f"INSERT INTO default.appended VALUES ('task', {{writer}}, {{n}})")

with ThreadPoolExecutor({WRITERS}) as pool:
    list(pool.map(write, range({WRITERS})))
"""


@pytest.fixture
def spark(served: Served) -> Iterator[SparkSession]:
    """As in a shell."""
    session = shell(served)
    yield session
    session.stop()


def shell(served: Served) -> SparkSession:
    remote = read_env_file(served.process.state.env_file)["SPARK_REMOTE"]
    session: SparkSession = DatabricksSession.builder.remote(remote).create()
    return session


def execute(served: Served, statement: str) -> None:
    """In the warehouse."""
    (warehouse,) = served.client.warehouses.list()
    assert warehouse.id is not None
    api = served.client.statement_execution
    answer = api.execute_statement(statement, warehouse.id, wait_timeout="50s")
    assert answer.status is not None
    assert answer.status.state is StatementState.SUCCEEDED, answer.status.error


def test_appends_at_the_same_time_all_succeed(served: Served, spark: SparkSession) -> None:
    spark.sql("CREATE TABLE default.appended (place STRING, writer INT, n INT) USING delta")
    run = served.start_notebook(TASK)

    def write_in_warehouse(writer: int) -> None:
        for n in range(INSERTS):
            execute(served, f"INSERT INTO default.appended VALUES ('warehouse', {writer}, {n})")

    def write_in_shell(writer: int) -> None:
        session = shell(served)
        for n in range(INSERTS):
            session.sql(f"INSERT INTO default.appended VALUES ('shell', {writer}, {n})")
        session.stop()

    with ThreadPoolExecutor(2 * WRITERS) as pool:
        for places in [
            pool.map(write, range(WRITERS)) for write in (write_in_warehouse, write_in_shell)
        ]:
            list(places)
    assert served.output(run).error is None
    rows = [tuple(row) for row in spark.table("default.appended").collect()]
    places = ("task", "warehouse", "shell")
    expected = [(place, w, n) for place in places for w in range(WRITERS) for n in range(INSERTS)]
    assert sorted(rows) == sorted(expected)
    assert_log(served, "main.default.appended", len(expected))
    spark.sql("DROP TABLE default.appended")


def assert_log(served: Served, name: str, latest: int) -> None:
    """Each version is there once, later than the one before, and published as it was ratified."""
    table = served.client.tables.get(name)
    assert table.storage_location is not None
    log = Path(table.storage_location.removeprefix("file://"), "_delta_log")
    published = sorted(log.glob("*.json"))
    assert [int(file.stem) for file in published] == list(range(latest + 1))
    actions = [[json.loads(line) for line in file.read_text().splitlines()] for file in published]
    times = [first["commitInfo"]["inCommitTimestamp"] for first, *_ in actions]
    assert times == sorted({*times})
    key = {"table_id": table.table_id, "table_uri": table.storage_location, "start_version": 0}
    path = "/api/2.1/unity-catalog/delta/preview/commits"
    answer = served.client.api_client.do("GET", path, query=key)
    assert isinstance(answer, dict)
    for commit in answer["commits"]:
        staged = log / "_staged_commits" / commit["file_name"]
        assert published[commit["version"]].read_bytes() == staged.read_bytes()
