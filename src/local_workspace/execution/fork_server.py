"""One life of the process that forks tasks, as the workspace sees it: requests to it, its reports, its end.

The protocol is in `runtime/fork_server.py`. All calls belong to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

from local_workspace.errors import LocalWorkspaceError
from local_workspace.execution.background import supervise
from local_workspace.execution.task_process import LARGEST_MESSAGE, Exit, TaskProcess, close
from local_workspace.runtime.requests import REQUEST, START

logger = logging.getLogger(__name__)

_STOP_SECONDS = 3.0
_PAUSE_SECONDS = 0.01
"""Until a request is sent again for which the channel had no room."""


class ForkServer:
    """Any end of its channel is its end: then its process has ended, and all tasks with it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        control: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._control = control
        self._ids = itertools.count(1)
        self._exits: dict[int, asyncio.Future[Exit]] = {}
        self._is_stopping = False
        self._reading = supervise(
            "Reading what the fork server reports", self._read(reader, writer)
        )

    @classmethod
    async def start(cls, modules: Sequence[str], environment: Mapping[str, str]) -> ForkServer:
        """Return when it can fork tasks that have `modules` loaded; LocalWorkspaceError where it cannot."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                process = await _spawn(theirs.fileno(), modules, environment)
            await _wait_until_ready(process, reader)
        except BaseException:
            await close(writer)
            raise
        # The transport owns the socket that it reads; requests need one that can pass descriptors.
        return cls(process, ours.dup(), reader, writer)

    @property
    def has_ended(self) -> bool:
        return self._reading.done()

    async def wait(self) -> None:
        await asyncio.wait([self._reading])

    async def fork(self, log: int) -> TaskProcess:
        """A new task's process, whose output goes to the descriptor `log`; ConnectionError where none began."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        task_id = next(self._ids)
        exit = self._exits[task_id] = asyncio.get_running_loop().create_future()
        try:
            with theirs:
                await self._request(START, task_id, theirs.fileno(), log)
        except BaseException:
            del self._exits[task_id]
            ours.close()
            raise

        async def signal_task(kind: bytes) -> None:
            # A fork server that has just died answers all requests by its end.
            with contextlib.suppress(ConnectionError):
                await self._request(kind, task_id)

        reader, writer = await asyncio.open_connection(sock=ours, limit=LARGEST_MESSAGE)
        return TaskProcess(reader, writer, exit, signal_task)

    async def stop(self) -> None:
        """End all tasks and the process."""
        self._is_stopping = True
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        await asyncio.wait([self._reading], timeout=_STOP_SECONDS)
        _kill(self._process)
        await asyncio.wait([self._reading])

    async def _request(self, kind: bytes, task_id: int, *descriptors: int) -> None:
        """Raise ConnectionError where it cannot be read any more."""
        while self._control.fileno() >= 0:
            try:
                socket.send_fds(self._control, [REQUEST.pack(kind, task_id)], descriptors)
                return
            except BlockingIOError:
                await asyncio.sleep(_PAUSE_SECONDS)
        raise ConnectionResetError("The fork server has ended.")

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._read_reports(reader)
        finally:
            self._control.close()
            await close(writer)
            _kill(self._process)
            self._end_tasks(_exit(await self._process.wait()))

    async def _read_reports(self, reader: asyncio.StreamReader) -> None:
        # A process that is killed before it has read all requests resets its channel.
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                report = json.loads(line)
                ended = Exit(report.get("code"), report.get("signal"))
                self._exits.pop(report["task"]).set_result(ended)

    def _end_tasks(self, how: Exit) -> None:
        """Tasks do not survive the fork server."""
        if not self._is_stopping:
            logger.warning(
                "The process that starts tasks ended (%s), and with it %d tasks; the next one starts another.",
                how,
                len(self._exits),
            )
        cause = f"The process that starts tasks ended ({how}), and its tasks with it."
        while self._exits:
            self._exits.popitem()[1].set_result(Exit(None, "SIGKILL", cause))


async def _spawn(
    control: int, modules: Sequence[str], environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "local_workspace.runtime.fork_server"),
        *(str(control), *modules),
        pass_fds=(control,),
        stdin=asyncio.subprocess.DEVNULL,
        # Ctrl-C in a terminal is for the workspace, which then ends the tasks.
        start_new_session=True,
        env=environment,
    )


async def _wait_until_ready(
    process: asyncio.subprocess.Process, reader: asyncio.StreamReader
) -> None:
    try:
        line = await reader.readline()
    except ConnectionError:
        line = b""
    except asyncio.CancelledError:
        _kill(process)
        await process.wait()
        raise
    if not line:
        ended = _exit(await process.wait())
        raise LocalWorkspaceError(
            f"The process that starts tasks ended with {ended} before it was ready; "
            "its own message is above."
        )


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _exit(code: int) -> Exit:
    return Exit(code, None) if code >= 0 else Exit(None, signal.Signals(-code).name)
