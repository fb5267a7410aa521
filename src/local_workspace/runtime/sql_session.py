"""The SQL warehouse's process: many scripts at once, each in a Spark session and a thread of its own.

Told: {"script": id, "remote", "mounts", "statements", "catalog", "schema", "row_limit", "files"},
{"cancel": id} and {"end": sessions, "remote"}, for those of tasks that have ended.
Says: {"event": "result", "script": id, ...} after each statement, then {"event": "done"} or {"event": "error"}.
A result has its rows, or, where the script has `files` (those of `result_files.write`), their chunks.
"""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from local_workspace.paths import to_local
from local_workspace.reason import reason
from local_workspace.runtime import result_files, task_sessions
from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.commands import execute as commands
from local_workspace.runtime.commands.engine import engine_sql
from local_workspace.runtime.commands.newer_session import new_session, session_for
from local_workspace.runtime.result_set import ResultSet, fetch, no_result
from local_workspace.sql.command_parser import parse
from local_workspace.sql.engine_errors import translate
from local_workspace.sql.errors import SqlError
from local_workspace.sql.file_paths import require_mounted
from local_workspace.sql.identifiers import quote
from local_workspace.sql.refusals import refuse
from local_workspace.sql.script import inserts_rows, returns_rows
from local_workspace.sql.table_commands import CreateTableAs, ReplaceTable

MAX_BYTES = 25 * 1024 * 1024
"""Of an inline result (docs: Statement Execution API)."""
_INSERTED = [("num_affected_rows", "BIGINT", "LONG"), ("num_inserted_rows", "BIGINT", "LONG")]
_INTERRUPT_SECONDS = 0.05


class ResultTooLarge(Exception):
    """An inline result above the limit."""


def run(_: Message, channel: Channel) -> None:
    """Serve until the workspace closes the channel."""
    scripts: weakref.WeakValueDictionary[int, Script] = weakref.WeakValueDictionary()
    channel.send("started")
    while (message := channel.receive()) is not None:
        if "script" in message:
            script = scripts[message["script"]] = Script(message, channel)
            threading.Thread(target=script.run, daemon=True).start()
        elif "end" in message:
            ending = (message["remote"], message["end"])
            threading.Thread(target=task_sessions.end, args=ending, daemon=True).start()
        elif running := scripts.get(message["cancel"]):
            threading.Thread(target=running.cancel, daemon=True).start()


class Script:
    """Statements that share a session; the first error ends it."""

    def __init__(self, request: Message, channel: Channel) -> None:
        self._request = request
        self._channel = channel
        self._session: SparkSession | None = None
        self._cancelled = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:
            message, state = describe(error)
            self._send("error", message=message, sql_state=state)
        else:
            self._send("done")
        finally:
            self._ended.set()
            if self._session is not None:
                self._session.stop()

    def cancel(self) -> None:
        """Interrupt the statement that runs; the next ones do not start."""
        self._cancelled.set()
        # An operation that is about to start is not there to be interrupted yet.
        while not self._ended.wait(_INTERRUPT_SECONDS):
            if self._session is not None:
                self._session.interruptAll()

    def _run(self) -> None:
        session = self._session = new_session(self._request["remote"])
        for kind in ("catalog", "schema"):
            if self._request[kind]:
                self._use(session, kind.upper(), self._request[kind])
        for statement in self._request["statements"]:
            if self._cancelled.is_set():
                raise InterruptedError("The statement was cancelled.")
            try:
                result = self._execute(statement)
            except SqlError:
                raise
            except PySparkException as error:
                raise translate(str(error), statement) from error
            self._send("result", statement=statement, **self._answer(result))

    def _use(self, session: SparkSession, kind: str, name: str) -> None:
        # Unity Catalog stores names in lower case, and the engine compares those of catalogs as they are.
        statement = f"USE {kind} {quote(name.lower())}"
        try:
            session.sql(statement)
        except PySparkException as error:
            raise translate(str(error), statement) from error

    def _execute(self, statement: str) -> ResultSet:
        assert self._session is not None
        refuse(statement)
        limit, mounts = self._request["row_limit"], Path(self._request["mounts"])
        command = parse(statement)
        if command is None or isinstance(command, CreateTableAs | ReplaceTable):
            # The engine reads the files that the statement names.
            require_mounted(statement, mounts)
            statement = to_local(statement, mounts)
            command = parse(statement)
        if command is None:
            return execute(self._session, statement, limit)
        older = self._session
        self._session = session_for(older, command, new_session)
        if self._session is not older:
            older.stop()
        return fetch(commands.run(self._session, command), limit)

    def _answer(self, result: ResultSet) -> dict[str, Any]:
        answer = {"columns": result.columns, "rows": [], "chunks": []}
        files = self._request["files"]
        if files is None:
            return {**answer, "rows": _inline(result), "truncated": result.truncated}
        chunks, cut = result_files.write(result, **files)
        return {**answer, "chunks": chunks, "truncated": result.truncated or cut}

    def _send(self, event: str, **values: object) -> None:
        self._channel.send(event, script=self._request["script"], **values)


def execute(session: SparkSession, statement: str, row_limit: int | None) -> ResultSet:
    """The statement's result, empty for a command."""
    frame = engine_sql(session, statement)
    if inserts_rows(statement):
        # Of UPDATE, DELETE and MERGE Sail tells other numbers than Databricks does.
        ((count,),) = fetch(frame, None).rows
        counts = [pa.array([int(count or 0)])] * len(_INSERTED)
        return ResultSet(_INSERTED, pa.table(counts, [name for name, _, _ in _INSERTED]))
    if not returns_rows(statement):
        return no_result()
    return fetch(frame, row_limit)


def _inline(result: ResultSet) -> list[list[str | None]]:
    """The rows as text; ResultTooLarge above 25 MiB."""
    if sum(len(value or "") for row in result.rows for value in row) > MAX_BYTES:
        raise ResultTooLarge(
            f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a "
            f"result size of at most {MAX_BYTES} bytes. Select fewer rows, set a row_limit, or use "
            "disposition=EXTERNAL_LINKS."
        )
    return result.rows


def describe(error: Exception) -> tuple[str, str | None]:
    """The message and, where it is known, the SQLSTATE."""
    if isinstance(error, SqlError):
        return error.message, error.sql_state
    return reason(str(error)), None
