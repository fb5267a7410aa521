from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import TableInfo
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from serving import (
    CatalogWorkspace,
    Switchboard,
    plugged_in,
    running_engine,
    session_on_sail,
)
from support.spark_sessions import SparkSessions, current
from support.waiting import wait_until

from local_workspace.errors import LocalWorkspaceError, ResourceConflict
from local_workspace.execution.engine import MAX_IDLE_SERVERS, Engine
from local_workspace.settings import StateDir

SqlRunner = Callable[[str], list[tuple[Any, ...]]]
NewSession = Callable[[], SqlRunner]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def catalog(switchboard: Switchboard, root: Path) -> Iterator[CatalogWorkspace]:
    with plugged_in(switchboard, root) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def engine(catalog: CatalogWorkspace) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        # These would lead Sail to another catalog.
        patch.setenv("DATABRICKS_HOST", "http://127.0.0.1:1")
        patch.setenv("UNITY_ACCESS_TOKEN", "wrong")
        with running_engine(catalog) as engine:
            yield engine


@pytest.fixture(scope="module")
def sessions(engine: Engine) -> Iterator[SparkSessions]:  # noqa: ARG001 (it ends after them)
    with SparkSessions() as sessions:
        yield sessions


@pytest.fixture(scope="module")
def new_session(engine: Engine, sessions: SparkSessions) -> NewSession:
    """Makes sessions of the newest server."""

    def create() -> SqlRunner:
        session = sessions.create(engine.remote)
        session.conf.set("spark.sql.sources.default", "delta")
        return lambda statement: [tuple(row) for row in session.sql(statement).collect()]

    return create


@pytest.fixture(scope="module")
def sql(new_session: NewSession) -> SqlRunner:
    return new_session()


@pytest.fixture
def schema(sql: SqlRunner) -> Iterator[str]:
    sql("CREATE SCHEMA wind")
    yield "wind"
    sql("DROP SCHEMA wind CASCADE")


def get_table(catalog: CatalogWorkspace, name: str) -> TableInfo:
    client = WorkspaceClient(host=catalog.url, token=catalog.token, auth_type="pat")
    return client.tables.get(name)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# Spark SQL on the catalog


def test_a_table_is_written_and_read(sql: SqlRunner, schema: str) -> None:
    t = f"main.{schema}.shares"
    sql(f"CREATE TABLE IF NOT EXISTS {t} (year INT, share DOUBLE)")
    sql(f"CREATE TABLE IF NOT EXISTS {t} (other STRING)")
    sql(f"INSERT INTO {t} VALUES (2000, 1.5D), (2001, 2.5D)")
    sql(
        f"MERGE INTO {t} t USING (SELECT 2001 AS year, 3.5D AS share UNION ALL SELECT 2002, 4.5D) s"
        " ON t.year = s.year WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    assert sql(f"SELECT * FROM {t} ORDER BY year") == [(2000, 1.5), (2001, 3.5), (2002, 4.5)]
    sql(f"UPDATE {t} SET share = 0D WHERE year = 2000")
    sql(f"DELETE FROM {t} WHERE year = 2002")
    assert sql(f"SELECT * FROM {t} ORDER BY year") == [(2000, 0.0), (2001, 3.5)]
    sql(f"INSERT OVERWRITE {t} SELECT 1999 AS year, 9.5D AS share")
    assert sql(f"SELECT * FROM {t}") == [(1999, 9.5)]
    assert sql(f"SELECT * FROM {t} VERSION AS OF 1 ORDER BY year") == [(2000, 1.5), (2001, 2.5)]


def test_a_table_is_created_from_a_query_and_dropped_with_its_files(
    sql: SqlRunner, schema: str, catalog: CatalogWorkspace
) -> None:
    sql(f"CREATE TABLE {schema}.copy AS SELECT 1 AS a, 'x' AS b")
    assert sql(f"SELECT * FROM {schema}.copy") == [(1, "x")]
    location = get_table(catalog, f"main.{schema}.copy").storage_location
    assert location is not None
    folder = Path(location.removeprefix("file://"))
    assert folder.parent == catalog.state.tables
    assert (folder / "_delta_log").is_dir()
    sql(f"DROP TABLE {schema}.copy")
    assert not folder.exists()
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        sql(f"SELECT * FROM {schema}.copy")
    sql(f"DROP TABLE IF EXISTS {schema}.copy")


def test_schemas_and_tables_are_shown(sql: SqlRunner, schema: str) -> None:
    sql(f"CREATE TABLE {schema}.a (x INT)")
    sql(f"CREATE TABLE {schema}.b (x INT)")
    assert [row[0] for row in sql("SHOW SCHEMAS")] == ["main.default", "main.wind"]
    assert [row[1] for row in sql(f"SHOW TABLES IN {schema}")] == ["a", "b"]
    assert sql(f"DESCRIBE TABLE {schema}.a") == [("x", "int", None)]


def test_comments_are_kept_and_shown(
    sql: SqlRunner, schema: str, catalog: CatalogWorkspace
) -> None:
    sql(f"CREATE TABLE {schema}.t (year INT COMMENT 'AD', Name STRING NOT NULL) COMMENT 'a table'")
    sql(f"INSERT INTO {schema}.t VALUES (2000, 'x')")
    assert sql(f"DESCRIBE TABLE {schema}.t") == [("year", "int", "AD"), ("Name", "string", None)]
    table = get_table(catalog, f"main.{schema}.t")
    assert table.comment == "a table"
    shown = [(column.name, column.comment, column.nullable) for column in table.columns or []]
    assert shown == [("year", "AD", True), ("Name", None, False)]


def test_new_columns_are_shown_by_the_catalog(
    sql: SqlRunner, schema: str, catalog: CatalogWorkspace
) -> None:
    sql(f"CREATE TABLE {schema}.t (a INT)")
    sql(
        f"MERGE WITH SCHEMA EVOLUTION INTO {schema}.t t USING (SELECT 1 AS a, 'x' AS b) s ON t.a = s.a"
        " WHEN NOT MATCHED THEN INSERT *"
    )
    columns = get_table(catalog, f"main.{schema}.t").columns or []
    assert [(column.name, column.type_text) for column in columns] == [
        ("a", "int"),
        ("b", "string"),
    ]


def test_names_that_need_quotes(sql: SqlRunner, schema: str) -> None:
    sql(f"CREATE TABLE {schema}.`t-1` AS SELECT 1 AS a")
    assert sql(f"SELECT * FROM main.{schema}.`T-1`") == [(1,)]


def test_a_table_of_files_that_are_there_already(
    sql: SqlRunner, schema: str, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text("1\n2\n")
    sql(f"CREATE TABLE {schema}.files (a INT) USING csv LOCATION '{tmp_path}'")
    assert sql(f"SELECT * FROM {schema}.files ORDER BY a") == [(1,), (2,)]
    sql(f"DROP TABLE {schema}.files")
    assert (tmp_path / "x.csv").exists()


def test_sessions_share_tables(sql: SqlRunner, schema: str, new_session: NewSession) -> None:
    other = new_session()
    sql(f"CREATE TABLE {schema}.t (a INT)")
    other(f"INSERT INTO {schema}.t VALUES (1)")
    assert sql(f"SELECT * FROM {schema}.t") == [(1,)]
    sql(f"INSERT INTO {schema}.t VALUES (2)")
    assert other(f"SELECT sum(a) FROM {schema}.t") == [(3,)]


def test_concurrent_writers_lose_nothing(
    sql: SqlRunner, schema: str, new_session: NewSession
) -> None:
    sql(f"CREATE TABLE {schema}.t (writer INT, n INT)")

    def write(writer: int) -> None:
        run = new_session()
        for n in range(3):
            run(f"INSERT INTO {schema}.t VALUES ({writer}, {n})")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    expected = [(writer, n) for writer in range(4) for n in range(3)]
    assert sql(f"SELECT * FROM {schema}.t ORDER BY writer, n") == expected


# Catalogs


def renew(catalog: CatalogWorkspace) -> None:
    assert catalog.engine is not None
    assert catalog.engine_loop is not None
    asyncio.run_coroutine_threadsafe(catalog.engine.renew(), catalog.engine_loop).result()


def test_a_new_catalog_is_seen_by_new_sessions_and_used_by_all(
    engine: Engine, catalog: CatalogWorkspace, sql: SqlRunner, new_session: NewSession
) -> None:
    client = WorkspaceClient(host=catalog.url, token=catalog.token, auth_type="pat")
    old = engine.remote
    client.catalogs.create("wind")
    assert engine.remote != old
    newer = new_session()
    newer("USE CATALOG wind")
    newer("CREATE TABLE t AS SELECT 1 AS a")
    sql("INSERT INTO wind.default.t VALUES (2)")
    assert newer("SELECT current_catalog(), sum(a) FROM t") == [("wind", 3)]
    client.catalogs.delete("wind", force=True)
    assert sorted(row[0] for row in new_session()("SHOW CATALOGS")) == ["main", "system"]
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        newer("SELECT * FROM t")


def listening(engine: Engine) -> set[int]:
    return {
        connection.laddr.port
        for connection in psutil.Process(engine.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_only_some_former_servers_are_kept_but_each_that_is_used(
    engine: Engine, catalog: CatalogWorkspace, sql: SqlRunner, sessions: SparkSessions
) -> None:
    for _ in range(MAX_IDLE_SERVERS + 3):
        renew(catalog)
    # Those kept, the newest, and what the sessions of these tests are connected with.
    assert len(engine.ports) <= MAX_IDLE_SERVERS + 1 + len(sessions)
    # Each has a gate, and a port behind it.
    assert len(listening(engine)) == 2 * len(engine.ports)
    assert sql("SELECT 1") == [(1,)]


# Life and death


def test_the_token_is_neither_an_argument_nor_in_the_log(
    engine: Engine, catalog: CatalogWorkspace
) -> None:
    assert catalog.token not in " ".join(psutil.Process(engine.pid).cmdline())
    assert catalog.token not in (catalog.state.root / "engine.log").read_text()


def test_what_a_udf_prints_does_not_block_the_engine(
    engine: Engine, sessions: SparkSessions
) -> None:
    from pyspark.sql.functions import udf

    session = sessions.create(engine.remote)

    def loud(n):  # type: ignore[no-untyped-def]  # pyspark reads type hints as those of pandas UDFs
        print("x" * 1000)
        return n

    with current(session):
        counts = session.range(200).select(udf(loud, "int")("id")).agg({"*": "count"}).collect()
    assert counts == [(200,)]


def test_tables_survive_restarts_of_engine_and_server(
    root: Path,
    switchboard: Switchboard,
    engine: Engine,
    sql: SqlRunner,
    new_session: NewSession,
) -> None:
    sql("CREATE TABLE default.kept AS SELECT 1 AS a")
    remote, pid, ports = engine.remote, engine.pid, set(engine.ports)
    exits: list[int] = []
    engine.on_exit = exits.append
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: engine.pid != pid, "another engine")
    assert exits == [-signal.SIGKILL]
    assert engine.remote == remote
    wait_until(lambda: listening(engine) >= ports, "the servers of before")
    with plugged_in(switchboard, root) as restarted:
        restarted.catalog.tables.remove_leftovers()
        run = new_session()
        run("INSERT INTO default.kept VALUES (2)")
        assert run("SELECT * FROM default.kept ORDER BY a") == [(1,), (2,)]


@pytest.mark.parametrize(("is_ratified", "rows"), [(False, [(1,)]), (True, [(1,), (2,)])])
def test_a_writer_that_is_killed_has_written_all_or_nothing(
    root: Path,
    switchboard: Switchboard,
    engine: Engine,
    sessions: SparkSessions,
    new_session: NewSession,
    monkeypatch: pytest.MonkeyPatch,
    is_ratified: bool,
    rows: list[tuple[int]],
) -> None:
    """Between staging and ratifying, and between ratifying and publishing."""
    with plugged_in(switchboard, root) as workspace:
        session, pid = sessions.create(engine.remote), engine.pid
        session.client.set_retry_policies([])
        session.sql(f"CREATE TABLE default.killed_{is_ratified} USING delta AS SELECT 1 AS a")
        ratify = workspace.catalog.commits.ratify

        def ratify_for_a_writer_that_is_killed(*arguments: Any, **options: Any) -> None:
            if is_ratified:
                ratify(*arguments, **options)
            os.kill(pid, signal.SIGKILL)
            raise ResourceConflict("Nobody reads this.")

        with monkeypatch.context() as patch:
            patch.setattr(workspace.catalog.commits, "ratify", ratify_for_a_writer_that_is_killed)
            with pytest.raises(SparkConnectGrpcException):
                session.sql(f"INSERT INTO default.killed_{is_ratified} VALUES (2)")
        wait_until(lambda: engine.pid != pid and _answers(engine), "another engine")
        run = new_session()
        assert run(f"SELECT * FROM default.killed_{is_ratified} ORDER BY a") == rows
        run(f"INSERT INTO default.killed_{is_ratified} VALUES (3)")
        assert run(f"SELECT * FROM default.killed_{is_ratified} ORDER BY a") == [*rows, (3,)]


def test_two_workspaces_side_by_side_share_nothing(tmp_path: Path) -> None:
    with session_on_sail(tmp_path / "a") as one, session_on_sail(tmp_path / "b") as other:
        for session, value in ((one, 1), (other, 2)):
            session.sql("CREATE SCHEMA s")
            session.sql(f"CREATE TABLE s.t USING delta AS SELECT {value} AS a")
        assert [session.table("s.t").collect() for session in (one, other)] == [[(1,)], [(2,)]]
        one.sql("DROP SCHEMA s CASCADE")
        assert other.table("s.t").collect() == [(2,)]


def _answers(engine: Engine) -> bool:
    return engine.port in listening(engine)


def test_the_engine_ends_with_its_workspace_however_that_ends(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from local_workspace.execution.engine import Engine\n"
        "from local_workspace.settings import StateDir\n"
        "async def main():\n"
        "    engine = Engine(StateDir(pathlib.Path(sys.argv[1])), 'http://127.0.0.1:1', 'x')\n"
        "    await engine.start()\n"
        "    print(engine.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as workspace:
        assert workspace.stdout is not None
        pid = int(workspace.stdout.readline())
        assert is_alive(pid)
        workspace.kill()
    wait_until(lambda: not is_alive(pid), "the end of the engine")


def test_the_engine_ends_when_it_is_told_to(tmp_path: Path) -> None:
    async def start_and_stop() -> int:
        engine = Engine(StateDir(tmp_path), "http://127.0.0.1:1", "x")
        await engine.start()
        await engine.stop()
        return engine.pid

    assert not is_alive(asyncio.run(start_and_stop()))


@pytest.mark.parametrize(
    ("python", "message"),
    [
        (
            "/nowhere/python",
            "The Spark engine's Python, /nowhere/python, is missing; run `make setup`.",
        ),
        ("/bin/false", "The Spark engine did not start; "),
    ],
)
def test_an_engine_that_cannot_start_says_so(
    python: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORKSPACE_ENGINE_PYTHON", python)
    with pytest.raises(LocalWorkspaceError) as error:
        asyncio.run(Engine(StateDir(tmp_path), "http://127.0.0.1:1", "x").start())
    assert str(error.value).startswith(message)


def test_a_folder_that_the_engine_cannot_use_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "my state"
    with pytest.raises(LocalWorkspaceError) as error:
        asyncio.run(Engine(StateDir(root), "http://127.0.0.1:1", "x").start())
    assert str(error.value).startswith(f"The Spark engine cannot keep tables in {root}: set ")
