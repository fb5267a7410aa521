"""The fork server is killed at random moments of 100 runs: each of them ends, and the next ones succeed.

The moments come from a seed that is printed; `STORM_SEED` sets another.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from served import result_of
from support.forked_workspace import ForkedWorkspace, forked_workspace
from support.waiting import wait_until

RUNS = 100
AT_ONCE = 10
KILLS = 8
SEED = int(os.environ.get("STORM_SEED", "20261128"))
SUCCESS = ("SUCCESS", "")


def add_script(served: ForkedWorkspace) -> dict[str, Any]:
    """A task that takes no time and has no libraries."""
    folder = served.state.mounts / "Workspace" / "Shared"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nothing.py").write_text("")
    return {"task_key": "t", "spark_python_task": {"python_file": "/Workspace/Shared/nothing.py"}}


def submit(client: WorkspaceClient, task: dict[str, Any]) -> int:
    body = {"run_name": "storm", "tasks": [task]}
    answer: Any = client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)
    return int(answer["run_id"])


def ended(client: WorkspaceClient, run_id: int) -> tuple[str, str]:
    wait_until(lambda: client.jobs.get_run(run_id).end_time != 0, f"the end of run {run_id}")
    return result_of(client.jobs.get_run(run_id))


def kill_again_and_again(served: ForkedWorkspace, chance: random.Random) -> None:
    """Also while it starts; each second time it has forked something."""

    def is_there(has_tasks: bool) -> bool:
        server = served.child("fork_server")
        with contextlib.suppress(psutil.NoSuchProcess):
            return server is not None and (not has_tasks or bool(server.children()))
        return False

    for number in range(KILLS):
        has_tasks = number % 2 == 0
        wait_until(lambda asked=has_tasks: is_there(asked), "the fork server")  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.3 if has_tasks else 3))
        if server := served.child("fork_server"):
            server.kill()


@pytest.mark.timeout(600)
def test_every_run_ends_while_the_fork_server_is_killed_again_and_again(tmp_path: Path) -> None:
    print(f"STORM_SEED={SEED}")
    with forked_workspace(tmp_path / "state") as served:
        client = served.start()
        task = add_script(served)
        killing = threading.Thread(target=kill_again_and_again, args=(served, random.Random(SEED)))
        killing.start()
        results = set()
        runs = 0
        while runs < RUNS or killing.is_alive():
            crowd = [submit(client, task) for _ in range(AT_ONCE)]
            results |= {ended(client, run_id) for run_id in crowd}
            runs += AT_ONCE
        killing.join()
        failures = {message for _, message in results - {SUCCESS}}
        assert failures
        assert all("The process that starts tasks ended" in text for text in failures), failures
        assert [ended(client, submit(client, task)) for _ in range(5)] == [SUCCESS] * 5
        children = psutil.Process(served.pid).children(recursive=True)
        served.terminate()
        assert not any(child.is_running() for child in children)
