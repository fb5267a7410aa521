"""Tasks that behave badly: they harm nobody, and their state tells what happened."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run
from databricks.sdk.service.workspace import ImportFormat
from expect import wait_until
from support.workspace_process import WorkspaceProcess, workspace_process

GIGABYTE = 1024**3
MEGABYTE = 1024**2

FLOOD = f"""
import os
line = b"x" * 1023 + b"\\n"
for _ in range({GIGABYTE} // {MEGABYTE}):
    os.write(1, line * 1024)
print("the last line")
"""

DAEMONS = """
import os, subprocess, sys
daemon = "import os, signal, time; os.fork(); signal.signal(signal.SIGTERM, signal.SIG_IGN);" \\
    "os.write(1, f'{os.getpid()} '.encode()); time.sleep(1000)"
launcher = f"import subprocess; subprocess.Popen(['{sys.executable}', '-c', {daemon!r}], start_new_session=True)"
for _ in range(3):
    subprocess.run([sys.executable, "-c", launcher], check=True)
"""
"""Each daemon is in a session of its own, ignores SIGTERM and has a child; its parent has ended."""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(1000)
"""


class Served:
    """A workspace and its client."""

    def __init__(self, process: WorkspaceProcess, client: WorkspaceClient) -> None:
        self.process = process
        self.client = client
        self._names = itertools.count()

    def start(self, source: str) -> int:
        """The run id of a Python script."""
        path = f"/Shared/script_{next(self._names)}.py"
        content = base64.b64encode(source.encode()).decode()
        self.client.workspace.import_(path, content=content, format=ImportFormat.AUTO)
        task = {"task_key": "t", "spark_python_task": {"python_file": f"/Workspace{path}"}}
        body = {"run_name": "robust", "tasks": [task]}
        answer: Any = self.client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)
        return int(answer["run_id"])

    def ended(self, run_id: int) -> Run:
        wait_until(lambda: self.client.jobs.get_run(run_id).end_time != 0)
        return self.client.jobs.get_run(run_id)

    def log(self, run_id: int) -> Path:
        tasks = self.client.jobs.get_run(run_id).tasks
        assert tasks is not None
        return self.process.state.task_logs / f"{tasks[0].run_id}.log"

    def printed_pids(self, run_id: int, count: int) -> list[int]:
        """As soon as the task has printed that many."""

        def pids() -> list[int]:
            log = self.log(run_id)
            words = log.read_text().split() if log.exists() else []
            return [int(word) for word in words if word.isdecimal()]

        wait_until(lambda: len(pids()) == count)
        return pids()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with workspace_process(tmp_path_factory.mktemp("robust") / "state") as process:
        client = process.start()
        client.workspace.mkdirs("/Shared")
        yield Served(process, client)


def result_of(run: Run) -> tuple[str, str]:
    assert run.tasks is not None
    state: dict[str, Any] = run.tasks[0].as_dict()["state"]
    return state["result_state"], state["state_message"]


def test_a_flood_of_output_leaves_its_end(served: Served) -> None:
    run_id = served.start(FLOOD)
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    assert served.log(run_id).stat().st_size <= 16 * MEGABYTE
    output = served.client.jobs.get_run_output(run_id)
    assert output.logs is not None
    assert output.logs_truncated is True
    assert len(output.logs) == 5 * MEGABYTE
    lines = output.logs.splitlines()
    assert lines[-1] == "the last line"
    assert set(lines[1:-1]) == {"x" * 1023}


def test_the_workspace_answers_during_a_flood_which_can_be_cancelled(served: Served) -> None:
    run_id = served.start("import os\nwhile True: os.write(1, b'y' * 1000000)")
    wait_until(lambda: served.log(run_id).exists() and served.log(run_id).stat().st_size > MEGABYTE)
    other = served.start("print('meanwhile')")
    assert result_of(served.ended(other)) == ("SUCCESS", "")
    served.client.jobs.cancel_run(run_id)
    assert result_of(served.ended(run_id))[0] == "CANCELED"
    assert served.log(run_id).stat().st_size <= 16 * MEGABYTE


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import os; os._exit(3)", "The task's process ended with exit code 3"),
        ("import os; os._exit(0)", "The task's process ended with exit code 0"),
        ("import os; os.kill(os.getpid(), 9)", "The task's process was ended by signal SIGKILL"),
        ("import os; os.abort()", "The task's process was ended by signal SIGABRT"),
    ],
)
def test_a_task_that_ends_its_own_process_has_failed(
    served: Served, source: str, error: str
) -> None:
    run_id = served.start("print('before', flush=True)\n" + source)
    state, message = result_of(served.ended(run_id))
    assert (state, message) == ("FAILED", "Workload failed, see run output for details")
    output = served.client.jobs.get_run_output(run_id)
    assert output.error == f"{error} before the task had finished."
    assert output.logs == "before\n"


def test_a_fork_of_a_task_says_nothing_for_it(served: Served) -> None:
    run_id = served.start(
        "import os\nif os.fork() == 0: raise OSError('child')\nprint(os.wait()[1])"
    )
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    logs = served.client.jobs.get_run_output(run_id).logs
    assert logs is not None
    assert "OSError: child" in logs
    assert logs.splitlines()[-1] == "256"


def test_daemons_that_a_task_leaves_behind_end_with_it(served: Served) -> None:
    wait = "import time\nwhile not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.01)"
    run_id = served.start(DAEMONS + wait)
    pids = served.printed_pids(run_id, 6)
    assert all(map(psutil.pid_exists, pids))
    task = served.client.jobs.get_run(run_id).tasks
    assert task is not None
    assert task[0].spark_python_task is not None
    script = task[0].spark_python_task.python_file
    (served.process.state.mounts / f"{script.removeprefix('/')}.go").touch()
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))


def test_cancelling_ends_daemons_too_and_what_ignores_sigterm(served: Served) -> None:
    run_id = served.start(DAEMONS + STUBBORN)
    pids = served.printed_pids(run_id, 6)
    served.client.jobs.cancel_run(run_id)
    assert result_of(served.ended(run_id)) == ("CANCELED", "Run cancelled.")
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))
