"""Queries through the gate that asks for the token, against the same Spark Connect server without it."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from databricks.connect import DatabricksSession
from measuring import ROOT, line
from pyspark.sql import SparkSession

QUERIES = 300
ROWS = 1_000_000
ROUNDS = 5
SERVER = """
import sys
sys.path.append(sys.argv[1])
from gate import AnyPort, Gates
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
behind = server.listening_address[1]
print(behind, Gates(AnyPort()).open(0, behind, "token"), flush=True)
sys.stdin.read()
"""


def main() -> None:
    with servers() as (behind, gate):
        plain = DatabricksSession.builder.remote(f"sc://127.0.0.1:{behind}").create()
        gated = f"sc://127.0.0.1:{gate}/;authorization=Bearer%20token"
        guarded = DatabricksSession.builder.remote(gated).create()
        latencies = {id(session): list[float]() for session in (plain, guarded)}
        fetches = {id(session): list[float]() for session in (plain, guarded)}
        for _ in range(ROUNDS):
            for session in (plain, guarded):
                latencies[id(session)] += [latency(session) for _ in range(QUERIES // ROUNDS)]
                fetches[id(session)].append(fetch(session))
        for what, times in (("SELECT 1, p50", latencies), (f"{ROWS:,} rows as Arrow", fetches)):
            spent = statistics.median(times[id(guarded)])
            line(what, spent, None, "without the gate", statistics.median(times[id(plain)]))
        for session in (plain, guarded):
            session.stop()


def latency(session: SparkSession) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    session.sql("SELECT 1").collect()
    return (time.perf_counter() - start) * 1000


def fetch(session: SparkSession) -> float:
    """Milliseconds for rows of 40 bytes."""
    start = time.perf_counter()
    columns = "id", "id * 2 AS a", "id * 3 AS b", "id * 4 AS c", "id * 5 AS d"
    assert session.range(ROWS).selectExpr(*columns).toArrow().num_rows == ROWS
    return (time.perf_counter() - start) * 1000


@contextmanager
def servers() -> Iterator[tuple[int, int]]:
    """The port of a Spark Connect server and that of a gate in front of it."""
    python = ROOT / "engines" / ".venv" / "bin" / "python"
    command = [python, "-c", SERVER, ROOT / "engines"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        behind, gate = map(int, run.stdout.readline().split())
        yield behind, gate


if __name__ == "__main__":
    main()
