"""Task processes: one per attempt of a task, forked from a server that has the libraries loaded.

The protocol is in `runtime/fork_server.py` and `runtime/task_process.py`. All calls belong to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence

from local_workspace.errors import LocalWorkspaceError
from local_workspace.execution.task_process import (
    LARGEST_MESSAGE,
    Exit,
    Message,
    TaskProcess,
    close,
)
from local_workspace.runtime.requests import REQUEST, START
from local_workspace.settings import StateDir

PRELOAD = (
    "databricks.connect",
    "databricks.sdk",
    "pandas",
    "pyarrow.pandas_compat",
    "pyspark.sql.functions",
    "pyspark.sql.types",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
)
"""What most tasks import; of these, what is installed."""

_STOP_SECONDS = 5.0
_PRIVATE_PREFIXES = ("DATABRICKS_", "SPARK_")
"""A task gets these from the workspace, never from the shell that the workspace was started in."""

_NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""A fork has none of its parent's threads, so the libraries of the fork server start none."""


class TaskProcesses:
    """Runs tasks in processes of their own."""

    def __init__(self, state: StateDir, preload: Sequence[str] = PRELOAD) -> None:
        self.state = state
        self._preload = preload
        self._server: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._reports: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._exits: dict[int, asyncio.Future[Exit]] = {}

    async def start(self) -> None:
        """Returns when tasks can run, at once where they can; LocalWorkspaceError if it fails."""
        async with self._starting:
            if self._control is None:
                await self._start()

    async def stop(self) -> None:
        """End all tasks and the fork server."""
        if self._server is None or self._control is None:
            return
        self._control.shutdown(socket.SHUT_RDWR)
        try:
            await asyncio.wait_for(self._server.wait(), _STOP_SECONDS)
        except TimeoutError:
            await _kill(self._server)
        assert self._reports is not None
        await self._reports

    async def run(self, spec: Message, on_event: Callable[[Message], None]) -> Exit:
        """Run a task to its end; cancelling the caller ends the process tree.

        Spec and events: `runtime/task_process.py`.
        """
        process = await self.open(spec)
        try:
            async for event in process.events():
                on_event(event)
            return await process.wait()
        except BaseException:
            await process.end()
            raise
        finally:
            await process.close()

    async def open(self, spec: Message) -> TaskProcess:
        """Start a task, to be closed by the caller; starts the fork server where there is none."""
        await self.start()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=LARGEST_MESSAGE)
        task_id = next(self._ids)
        exit = self._exits[task_id] = asyncio.get_running_loop().create_future()
        log = os.open(spec.get("log", os.devnull), os.O_RDWR | os.O_CREAT, 0o600)
        with theirs:
            self._request(START, task_id, theirs.fileno(), log)
        os.close(log)
        process = TaskProcess(reader, writer, exit, lambda kind: self._request(kind, task_id))
        process.send(spec)
        return process

    def _request(self, kind: bytes, task_id: int, *descriptors: int) -> None:
        # A fork server that has just died answers all requests by its end.
        with contextlib.suppress(ConnectionError):
            if self._control is not None:
                socket.send_fds(self._control, [REQUEST.pack(kind, task_id)], descriptors)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                self._server = await self._spawn(theirs.fileno())
            await _wait_until_ready(self._server, reader)
        except BaseException:
            await close(writer)
            raise
        # The transport owns the socket that it reads; requests need one that can pass descriptors.
        self._control = ours.dup()
        self._reports = asyncio.create_task(self._read_reports(reader, writer))

    async def _spawn(self, control: int) -> asyncio.subprocess.Process:
        modules = [name for name in self._preload if importlib.util.find_spec(name.split(".")[0])]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "local_workspace.runtime.fork_server"),
            *(str(control), *modules),
            pass_fds=(control,),
            stdin=asyncio.subprocess.DEVNULL,
            # Ctrl-C in a terminal is for the workspace, which then ends the tasks.
            start_new_session=True,
            env=_environment(self.state),
        )

    async def _read_reports(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            report = json.loads(line)
            ended = Exit(report.get("code"), report.get("signal"))
            self._exits.pop(report["task"]).set_result(ended)
        # Tasks do not survive the fork server.
        assert self._control is not None
        self._control.close()
        self._control = None
        while self._exits:
            self._exits.popitem()[1].set_result(Exit(None, "SIGKILL"))
        await close(writer)


async def _wait_until_ready(
    server: asyncio.subprocess.Process, reader: asyncio.StreamReader
) -> None:
    try:
        line = await reader.readline()
    except asyncio.CancelledError:
        await _kill(server)
        raise
    if not line:
        code = await server.wait()
        raise LocalWorkspaceError(
            f"The process that starts tasks ended with exit code {code} before it was ready; "
            "its own message is above."
        )


async def _kill(server: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        server.kill()
    await server.wait()


def _environment(state: StateDir) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE_PREFIXES)}
    # IPython's files are the workspace's and not those of the user's own IPython.
    own = {"MPLBACKEND": "Agg", "IPYTHONDIR": str(state.root / "workspace.ipython")}
    return kept | _NO_THREADS | own
