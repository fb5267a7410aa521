"""What Unity Catalog costs the Spark engine, against the same engine with a catalog in its own memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from databricks.connect import DatabricksSession
from databricks.sdk import WorkspaceClient
from measuring import Connection, line, percentile, timed, workspace
from pyspark.sql import SparkSession

from local_workspace.execution.sail import SCRIPT, engine_python
from local_workspace.settings import read_env_file

TIMES = 100
UNITY_CATALOG = "/api/2.1/unity-catalog"
TABLE = "main.benchmark.measured"


def main() -> None:
    with workspace() as (served, client), in_memory() as memory:
        session = connect(read_env_file(served.state.env_file)["SPARK_REMOTE"])
        session.sql("CREATE SCHEMA main.benchmark")
        session.sql(f"CREATE TABLE {TABLE} (id INT) USING delta")
        requests(client, statements(memory))
        statement("DESCRIBE TABLE", session, memory, "DESCRIBE TABLE {}", limit=5)
        statement("SELECT of no rows", session, memory, "SELECT * FROM {} WHERE false")
        session.stop()


def statements(memory: SparkSession) -> float:
    """Milliseconds of the alternative's own look-up: a DESCRIBE that asks nobody."""
    memory.sql("CREATE TABLE measured (id INT) USING parquet")
    return statistics.median(times(lambda: memory.sql("DESCRIBE TABLE measured").collect()))


def requests(client: WorkspaceClient, other: float) -> None:
    """The requests that the engine sends for a table, on a connection that it keeps."""
    connection = Connection(client)
    table_id = client.tables.get(TABLE).table_id
    location = client.tables.get(TABLE).storage_location
    commits = {"table_id": table_id, "table_uri": location, "start_version": 0}
    asked: dict[str, Callable[[], object]] = {
        "its schema": lambda: connection.get(f"{UNITY_CATALOG}/schemas/main.benchmark"),
        "a table": lambda: connection.get(f"{UNITY_CATALOG}/tables/{TABLE}"),
        "its commits": lambda: connection.get(f"{UNITY_CATALOG}/delta/preview/commits", commits),
    }
    for name, action in asked.items():
        what = f"catalog: {name}, p50"
        line(what, percentile(times(action), 50), 5, "DESCRIBE in memory", other)


def statement(
    name: str, session: SparkSession, memory: SparkSession, sql: str, limit: float | None = None
) -> None:
    here = percentile(times(lambda: session.sql(sql.format(TABLE)).collect()), 50)
    there = percentile(times(lambda: memory.sql(sql.format("measured")).collect()), 50)
    line(f"{name}, p50", here, None, "catalog in memory", there)
    line(f"{name}, more than in memory", here - there, limit, "catalog in memory", there)


def times(action: Callable[[], object]) -> list[float]:
    action()
    return [timed(action) for _ in range(TIMES)]


def connect(remote: str) -> SparkSession:
    return DatabricksSession.builder.remote(remote).create()


@contextmanager
def in_memory() -> Iterator[SparkSession]:
    """The same engine without a catalog server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [engine_python(), "-I", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("SAIL_")},
        ) as engine,
    ):
        assert engine.stdin is not None
        assert engine.stdout is not None
        print(json.dumps({"port": 0, "environment": {}}), file=engine.stdin, flush=True)
        session = connect(f"sc://127.0.0.1:{json.loads(engine.stdout.readline())['port']}")
        yield session
        session.stop()
        engine.kill()


if __name__ == "__main__":
    main()
