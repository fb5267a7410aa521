"""Real task processes and a real Sail, shared by the tests of this folder."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from databricks.sdk import WorkspaceClient
from serving import event_loop
from support.waiting import PATIENCE

from local_workspace.execution.processes import TaskProcesses
from local_workspace.execution.sail import engine_python
from local_workspace.execution.task_process import Exit
from local_workspace.settings import StateDir

if TYPE_CHECKING:
    from .sql_serving import SqlWorkspace

SAIL = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer(port=0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
"""
"""Sail with its memory catalog: each session has tables of its own."""


@dataclass
class Ended:
    """What a task said, how it ended, and what it printed."""

    log: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    exit: Exit | None = None

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def result(self) -> str | None:
        assert self.last["event"] == "succeeded", self.last
        result: str | None = self.last["result"]
        return result

    @property
    def error(self) -> str:
        assert self.last["event"] == "failed", self.last
        error: str = self.last["error"]
        return error

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def cells(self) -> list[list[dict[str, Any]]]:
        """The outputs of each cell."""
        return [event["outputs"] for event in self.events if event["event"] == "cell"]

    def task_values(self) -> dict[str, Any]:
        sent = [event for event in self.events if event["event"] == "task_value"]
        return {event["key"]: event["value"] for event in sent}


class Runner:
    """Runs tasks, from a test's thread."""

    def __init__(
        self, processes: TaskProcesses, loop: asyncio.AbstractEventLoop, remote: str
    ) -> None:
        self.processes = processes
        self.loop = loop
        self.remote = remote
        self._count = 0

    def wait[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def start(self, kind: str, **spec: Any) -> tuple[Ended, asyncio.Task[None]]:
        """A task that goes on while the test does; cancelling it ends its process tree."""
        self._count += 1
        ended = Ended(self.processes.state.task_logs / f"{self._count}.log")
        filled = {
            "kind": kind,
            "task_run_id": self._count,
            "log": str(ended.log),
            "cwd": None,
            "sys_path": [],
            "env": {"DATABRICKS_RUNTIME_VERSION": "17.3"},
            "spark_remote": self.remote,
            "context": {"job_id": 1, "job_run_id": 2, "task_run_id": 3, "task_key": "this"},
            "task_values": {},
            **spec,
        }

        async def run() -> None:
            ended.exit = await self.processes.run(filled, ended.events.append)

        async def create() -> asyncio.Task[None]:
            return asyncio.create_task(run())

        return ended, self.wait(create())

    def run(self, kind: str, **spec: Any) -> Ended:
        ended, task = self.start(kind, **spec)
        self.wait(asyncio.wait_for(task, PATIENCE))
        return ended

    def notebook(self, source: str, **spec: Any) -> Ended:
        return self.run("notebook", **_notebook(source, spec))

    def start_notebook(self, source: str, **spec: Any) -> tuple[Ended, asyncio.Task[None]]:
        return self.start("notebook", **_notebook(source, spec))

    def cancel(self, task: asyncio.Task[None]) -> None:
        """Returns when the process tree has ended."""

        async def cancel() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.wait(cancel())


def _notebook(source: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"source": source, "name": "/Workspace/nb", "language": "PYTHON", "widgets": {}} | spec


@pytest.fixture(scope="session")
def spark_remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with subprocess.Popen(
        [engine_python(), "-c", SAIL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # The memory catalog keeps its tables' files in the current folder.
        cwd=tmp_path_factory.mktemp("sail"),
    ) as sail:
        assert sail.stdout is not None
        yield f"sc://127.0.0.1:{sail.stdout.readline().strip()}"
        sail.kill()


@pytest.fixture(scope="session")
def runner(spark_remote: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    state = StateDir(tmp_path_factory.mktemp("state"))
    state.create()
    with pytest.MonkeyPatch.context() as patch, event_loop() as loop:
        patch.setenv("DATABRICKS_CLIENT_SECRET", "of the shell")
        runner = Runner(TaskProcesses(state), loop, spark_remote)
        runner.wait(runner.processes.start())
        yield runner
        runner.wait(runner.processes.stop())


@pytest.fixture(scope="module")
def workspace(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlWorkspace]:
    """The SQL routes, served."""
    from .sql_serving import sql_workspace

    with sql_workspace(runner, tmp_path_factory.mktemp("workspace")) as served:
        yield served


@pytest.fixture(scope="module")
def client(workspace: SqlWorkspace) -> WorkspaceClient:
    return workspace.client
