"""The one SQL warehouse: a process that executes scripts, each in a Spark session of its own.

The protocol is in `runtime/sql_session.py`. All calls belong to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from local_workspace.execution.background import supervise
from local_workspace.execution.processes import TaskProcesses
from local_workspace.execution.task_process import Message, TaskProcess
from local_workspace.sql.errors import SqlError
from local_workspace.sql.parameters import Parameter, bind
from local_workspace.sql.script import split

__all__ = ["Parameter", "ResultFiles", "SqlError", "StatementResult", "Warehouse"]


class SparkServer(Protocol):
    @property
    def remote(self) -> str:
        """Its Spark Connect address, `sc://127.0.0.1:PORT`."""

    def remote_at(self, address: str) -> str | None:
        """The same for one of its servers by `127.0.0.1:PORT`; None for any other address."""


@dataclass(frozen=True)
class StatementResult:
    """`columns` are (name, type_text, type_name); `rows` hold text, None for NULL."""

    statement: str
    columns: list[tuple[str, str, str]]
    rows: list[list[str | None]]
    truncated: bool
    chunks: list[tuple[int, int]] = field(default_factory=list)
    """(row count, size in bytes) of each of the result's files, where it was written to files."""


@dataclass(frozen=True)
class ResultFiles:
    """Where a result is written to instead of being sent, and how: JSON_ARRAY, ARROW_STREAM or CSV."""

    folder: Path
    format: str
    byte_limit: int | None


@dataclass
class _Script:
    """A script that the process executes: its results so far, and its end."""

    end: asyncio.Future[None]
    results: list[StatementResult] = field(default_factory=list)

    def fail(self, error: SqlError) -> None:
        if not self.end.done():
            self.end.set_exception(error)


class Warehouse:
    """Starts its process when it is needed, and again after it has died."""

    def __init__(
        self,
        processes: TaskProcesses,
        engine: SparkServer,
        mounts: Path,
        environment: Callable[[], Mapping[str, str]],
    ) -> None:
        """`environment` lets clients in the process find the workspace."""
        self._processes = processes
        self._engine = engine
        self._mounts = mounts
        self._environment = environment
        self._process: TaskProcess | None = None
        self._serving: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._scripts: dict[int, _Script] = {}
        self._submitted: dict[str, asyncio.Task[None]] = {}

    @property
    def is_running(self) -> bool:
        return self._process is not None

    async def start(self) -> None:
        """Returns when the warehouse takes statements, at once where it does."""
        async with self._starting:
            if self._process is None:
                self._process = await self._processes.open(self._spec())
                self._serving = supervise(
                    "Reading what the SQL warehouse says", self._serve(self._process)
                )

    async def stop(self) -> None:
        """Ends the process; statements that it still executes fail."""
        await _cancel(self._submitted.values())
        if self._process is not None and self._serving is not None:
            await self._process.end()
            await self._serving

    async def execute(
        self,
        script: str,
        parameters: Mapping[str, Parameter | str | None],
        catalog: str | None = None,
        schema: str | None = None,
        row_limit: int | None = None,
        files: ResultFiles | None = None,
    ) -> list[StatementResult]:
        """The result of each statement; SqlError at the first that fails.

        A parameter that is no Parameter is a STRING. Paths of mounts are translated for the engine.
        Cancelling the caller interrupts the statement that runs.
        """
        bound = {name: _parameter(value) for name, value in parameters.items()}
        statements = [bind(text, bound) for text in split(script)]
        await self.start()
        assert self._process is not None
        number = next(self._ids)
        running = self._scripts[number] = _Script(asyncio.get_running_loop().create_future())
        request = {"statements": statements, "catalog": catalog, "schema": schema}
        remote = self._engine.remote
        sent = None if files is None else {**vars(files), "folder": str(files.folder)}
        options = {"remote": remote, "row_limit": row_limit, "files": sent}
        options["mounts"] = str(self._mounts)
        self._process.send({"script": number, **options, **request})
        try:
            await running.end
        except asyncio.CancelledError:
            if self._process is not None:
                self._process.send({"cancel": number})
            raise
        finally:
            self._scripts.pop(number, None)
        return running.results

    def end_sessions(self, sessions: Collection[Mapping[str, str]]) -> None:
        """Interrupt and release Spark sessions whose task has ended, in the background."""
        for at in {session["at"] for session in sessions}:
            remote = self._engine.remote_at(at)
            if remote is not None and self._process is not None:
                there = [session for session in sessions if session["at"] == at]
                self._process.send({"end": there, "remote": remote})

    def submit(self, key: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background until it ends or `cancel(key)` is called."""
        task = self._submitted[key] = supervise(f"Statement {key}", work)
        task.add_done_callback(lambda _: self._submitted.pop(key))
        return task

    def cancel(self, key: str) -> None:
        """Cancel what was submitted as `key`, if it still runs."""
        if key in self._submitted:
            self._submitted[key].cancel()

    def _spec(self) -> Message:
        return {
            "kind": "warehouse",
            "log": str(self._processes.state.task_logs / "warehouse.log"),
            "sys_path": [],
            "env": self._environment(),
            "spark_remote": self._engine.remote,
        }

    async def _serve(self, process: TaskProcess) -> None:
        try:
            async for event in process.events():
                # A script that was cancelled may still say something.
                if script := self._scripts.get(event.get("script", 0)):
                    _handle(script, event)
        finally:
            await process.end()
            exit = await process.wait()
            await process.close()
            self._process = None
            for script in self._scripts.values():
                script.fail(SqlError(f"The SQL warehouse ended ({exit}); run it again."))


def _handle(script: _Script, event: Message) -> None:
    match event["event"]:
        case "result":
            columns = [(name, text, kind) for name, text, kind in event["columns"]]
            result = (event["statement"], columns, event["rows"], event["truncated"])
            chunks = [(rows, size) for rows, size in event["chunks"]]
            script.results.append(StatementResult(*result, chunks))
        case "done" if not script.end.done():
            script.end.set_result(None)
        case "error":
            script.fail(SqlError(event["message"], event["sql_state"]))


def _parameter(value: Parameter | str | None) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
