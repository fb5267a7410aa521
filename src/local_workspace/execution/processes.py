"""Task processes: one per attempt of a task, forked from a server that has the libraries loaded.

The protocol with a task is in `runtime/task_process.py`. All calls belong to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Callable, Sequence

from local_workspace.errors import LocalWorkspaceError
from local_workspace.execution.fork_server import ForkServer
from local_workspace.execution.task_process import Exit, Message, TaskProcess
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

_PRIVATE_PREFIXES = ("DATABRICKS_", "SPARK_")
"""A task gets these from the workspace, never from the shell that the workspace was started in."""

_NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""A fork has none of its parent's threads, so the libraries of the fork server start none."""


class TaskProcesses:
    """Runs tasks in processes of their own; starts the fork server when it is needed, and again after its end."""

    def __init__(self, state: StateDir, preload: Sequence[str] = PRELOAD) -> None:
        self.state = state
        self._preload = preload
        self._server: ForkServer | None = None
        self._starting = asyncio.Lock()
        self._is_stopped = False

    async def start(self) -> None:
        """Return when tasks can run, at once where they can; LocalWorkspaceError if it fails."""
        await self._running()

    async def stop(self) -> None:
        """End all tasks and the fork server; no task can be started any more."""
        self._is_stopped = True
        if self._server is not None:
            await self._server.stop()

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
        """Start a task, to be closed by the caller."""
        log = os.open(spec.get("log", os.devnull), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            process = await self._fork(log)
        finally:
            os.close(log)
        process.send(spec)
        return process

    async def _fork(self, log: int) -> TaskProcess:
        while True:
            server = await self._running()
            try:
                return await server.fork(log)
            except ConnectionError:
                # It has just died, and has not seen the request.
                await server.wait()

    async def _running(self) -> ForkServer:
        async with self._starting:
            if self._is_stopped:
                raise LocalWorkspaceError("The local workspace is being stopped.")
            if self._server is None or self._server.has_ended:
                names = [n for n in self._preload if importlib.util.find_spec(n.split(".")[0])]
                self._server = await ForkServer.start(names, _environment(self.state))
            return self._server


def _environment(state: StateDir) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE_PREFIXES)}
    # IPython's files are the workspace's and not those of the user's own IPython.
    own = {"MPLBACKEND": "Agg", "IPYTHONDIR": str(state.root / "workspace.ipython")}
    return kept | _NO_THREADS | own
