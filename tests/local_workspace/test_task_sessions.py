"""A task's queries and Spark sessions end with it, however it ends."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from served import Served
from support.waiting import wait_until

ENDLESS = """
import os
print(os.getpid(), flush=True)
spark.range(10**13).selectExpr("sum(id * id % 7)").collect()
"""


@pytest.fixture
def engine(served: Served) -> psutil.Process:
    assert served.process.process is not None
    children = psutil.Process(served.process.process.pid).children()
    (engine,) = (child for child in children if "sail.py" in " ".join(child.cmdline()))
    return engine


def is_busy(engine: psutil.Process) -> bool:
    """Whether it computes, by its own time and not by the clock's."""
    before, start = sum(engine.cpu_times()[:2]), time.monotonic()
    while time.monotonic() < start + 1:
        time.sleep(0.05)
    return sum(engine.cpu_times()[:2]) - before > 0.05


@pytest.mark.parametrize("how", ["cancelled", "timed out", "killed"])
def test_a_query_ends_with_its_task(served: Served, engine: psutil.Process, how: str) -> None:
    wait_until(lambda: not is_busy(engine), "an engine that has nothing to do")
    limit = {"timeout_seconds": 5} if how == "timed out" else {}
    run_id = served.start_notebook(ENDLESS, **limit)
    if how != "timed out":
        (pid,) = served.printed_pids(run_id, 1)
        wait_until(lambda: is_busy(engine), "the query")
        if how == "cancelled":
            served.client.jobs.cancel_run(run_id)
        else:
            os.kill(pid, signal.SIGKILL)
    served.ended(run_id)
    wait_until(lambda: not is_busy(engine), "the end of the query")


def test_the_engine_keeps_no_session_of_a_task_that_has_ended(served: Served) -> None:
    made = served.result(
        "from databricks.connect import DatabricksSession\n"
        "spark.range(1).count()\n"
        "other = DatabricksSession.builder.create()\n"
        "other.range(1).count()\n"
        "dbutils.notebook.exit(f'{spark.session_id} {other.session_id}')"
    )
    assert made is not None
    log = served.process.state.root / "engine.log"
    for session_id in made.split():
        wait_until(
            lambda session_id=session_id: f"removing session {session_id}" in log.read_text(),
            f"the end of the session {session_id}",
        )
