"""Writers of one table at the same time, in each place that statements come from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from databricks.connect import DatabricksSession
from databricks.sdk.service.sql import StatementState, StatementStatus
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from served import Served
from sql_on_sail import Sql
from support.waiting import wait_until

from local_workspace.settings import read_env_file
from local_workspace.sql.errors import SqlError

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


UPDATE = "UPDATE {table} SET n = n + 1"
CHANGES = (
    UPDATE,
    "DELETE FROM {table} WHERE n < 0",
    "MERGE INTO {table} USING (SELECT 7 AS id, 7 AS n) AS new ON {table}.id = new.id"
    " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    "CREATE OR REPLACE TABLE {table} AS SELECT id, n FROM {table}",
)
OVERWRITES = (
    "INSERT OVERWRITE {table} VALUES (1, 0)",
    "INSERT INTO {table} REPLACE WHERE id = 1 VALUES (1, 0)",
    "CREATE OR REPLACE TABLE {table} (id BIGINT, n BIGINT)",
)
CONFLICT = re.compile(
    r"\[(DELTA_CONCURRENT_APPEND.WITHOUT_HINT|DELTA_CONCURRENT_DELETE_READ.WITHOUT_HINT"
    r"|DELTA_METADATA_CHANGED)\] .* SQLSTATE: 2D521"
)


def test_no_update_is_lost(sql: Sql) -> None:
    sql("CREATE TABLE updated (id BIGINT, n BIGINT)")
    sql("INSERT INTO updated VALUES (1, 0), (2, 0), (3, 0)")
    failures = failures_of(sql, "updated", (UPDATE, *CHANGES))
    updates = sum(found.count("") for found in failures[:2])
    expected = [[str(n), str(updates)] for n in (1, 2, 3)]
    assert sql("SELECT id, n FROM updated WHERE id < 7 ORDER BY id") == expected
    assert_conflicts(failures)


def test_what_conflicts_fails_with_deltas_errors(sql: Sql) -> None:
    sql("CREATE TABLE changed (id BIGINT, n BIGINT)")
    assert_conflicts(failures_of(sql, "changed", (*CHANGES, *OVERWRITES)))


def failures_of(sql: Sql, table: str, statements: Sequence[str]) -> list[list[str]]:
    """The errors of each statement, all of them executed at once and again; empty where it succeeded."""

    def change(statement: str) -> list[str]:
        session = sql.new_session()
        return [failure(session, statement.format(table=table)) for _ in range(4)]

    with ThreadPoolExecutor(len(statements)) as pool:
        return list(pool.map(change, statements))


def assert_conflicts(failures: list[list[str]]) -> None:
    messages = [message for found in failures for message in found if message]
    assert messages, "There was no conflict."
    assert [message for message in messages if not CONFLICT.fullmatch(message)] == []


def failure(sql: Sql, statement: str) -> str:
    """The statement's error, empty where there is none."""
    try:
        sql(statement)
    except SqlError as error:
        return error.message
    return ""


def test_a_table_is_created_or_replaced_by_many_at_once(sql: Sql) -> None:
    for kind in ("AS SELECT 1 AS n", "(n BIGINT)"):
        name = f"created_{len(kind)}"
        statement = f"CREATE OR REPLACE TABLE {name} {kind}"

        def create(session: Sql, statement: str = statement) -> str:
            return failure(session, statement)

        sessions = [sql.new_session() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            messages = [message for message in pool.map(create, sessions) if message]
        assert [message for message in messages if not CONFLICT.fullmatch(message)] == []
        assert len(sql(f"SELECT n FROM {name}")) == (1 if "SELECT" in kind else 0)


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        ("INSERT INTO {table} VALUES (9)", "DELTA_CONCURRENT_APPEND.WITHOUT_HINT"),
        ("UPDATE {table} SET n = 2", "DELTA_CONCURRENT_APPEND.WITHOUT_HINT"),
        ("DELETE FROM {table}", "DELTA_CONCURRENT_DELETE_READ.WITHOUT_HINT"),
        ("ALTER TABLE {table} SET TBLPROPERTIES ('a' = 'b')", "DELTA_METADATA_CHANGED"),
        ("COMMENT ON TABLE {table} IS 'c'", "DELTA_METADATA_CHANGED"),
    ],
)
def test_the_commit_that_came_first_is_named(
    sql: Sql, monkeypatch: pytest.MonkeyPatch, statement: str, condition: str
) -> None:
    """As Spark's errors have it: condition, SQLSTATE and message. The engine only hears 409."""
    table = f"first_{abs(hash(statement))}"
    sql(f"CREATE TABLE {table} (n BIGINT)")
    sql(f"INSERT INTO {table} VALUES (1)")
    other = sql.new_session()
    commits = sql.workspace.catalog.commits
    ratify = commits.ratify

    def ratify_the_others_first(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(commits, "ratify", ratify)
        other(statement.format(table=table))
        ratify(*arguments, **options)

    monkeypatch.setattr(commits, "ratify", ratify_the_others_first)
    with pytest.raises(PySparkException) as caught:
        sql(f"UPDATE {table} SET n = n + 1")
    message = str(caught.value)
    assert CONFLICT.fullmatch(message)
    assert (caught.value.getCondition(), caught.value.getSqlState()) == (condition, "2D521")
    assert (
        '"version": 2' if "METADATA" in condition else f"table main.default.{table} "
    ) in message
    assert ('"version": 2' if "METADATA" in condition else "at version 2") in message


UPDATES = """
import json
from concurrent.futures import ThreadPoolExecutor
from pyspark.errors import PySparkException

def update(_):
    try:
        spark.sql("UPDATE default.contended SET n = n + 1")
    except PySparkException as error:
        return [[str(error), error.getCondition()]]
    return []

conflicts = []
with ThreadPoolExecutor(4) as pool:
    while not conflicts:
        conflicts = sum(pool.map(update, range(4)), [])
dbutils.notebook.exit(json.dumps(conflicts[0]))
"""


def test_a_conflict_in_a_task_is_deltas(served: Served, spark: SparkSession) -> None:
    spark.sql("CREATE TABLE default.contended (n BIGINT) USING delta")
    spark.sql("INSERT INTO default.contended VALUES (0)")
    message, condition = json.loads(served.result(UPDATES) or "")
    assert CONFLICT.fullmatch(message)
    assert message.startswith(f"[{condition}]")
    spark.sql("DROP TABLE default.contended")


def test_a_conflict_in_the_warehouse_is_deltas(served: Served, spark: SparkSession) -> None:
    spark.sql("CREATE TABLE default.disputed (n BIGINT) USING delta")
    spark.sql("INSERT INTO default.disputed VALUES (0)")
    (warehouse,) = served.client.warehouses.list()
    warehouse_id = warehouse.id
    assert warehouse_id is not None

    def update(_: int) -> StatementStatus:
        statement = "UPDATE default.disputed SET n = n + 1"
        api = served.client.statement_execution
        answer = api.execute_statement(statement, warehouse_id, wait_timeout="50s")
        assert answer.status is not None
        return answer.status

    def conflict() -> StatementStatus | None:
        statuses = pool.map(update, range(4))
        return next((one for one in statuses if one.state is StatementState.FAILED), None)

    with ThreadPoolExecutor(4) as pool:
        status = wait_until(conflict, "a conflict in the warehouse")
    assert status.error is not None
    assert CONFLICT.fullmatch(status.error.message or "")
    assert status.sql_state == "2D521"
    spark.sql("DROP TABLE default.disputed")
