"""The SQL warehouse's process: many scripts at once, each in a Spark session and a thread of its own.

Told: {"script": id, "remote", "statements", "catalog", "schema", "row_limit"} and {"cancel": id}.
Says: {"event": "result", "script": id, ...} after each statement, then {"event": "done"} or {"event": "error"}.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import weakref

from databricks.connect import DatabricksSession
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.result_set import ResultSet, fetch
from local_workspace.sql.identifiers import quote
from local_workspace.sql.script import inserts_rows, returns_rows

MAX_BYTES = 25 * 1024 * 1024
"""Of an inline result (docs: Statement Execution API)."""
_UNKNOWN_STATE = "XXKCM"
"""What databricks-connect says when the engine gave no SQLSTATE."""
_INSERTED = [("num_affected_rows", "BIGINT", "LONG"), ("num_inserted_rows", "BIGINT", "LONG")]
_INTERRUPT_SECONDS = 0.05
_ERROR_CLASS = re.compile(r"\[[A-Z][A-Z0-9_.]+\] .*")


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
        session = DatabricksSession.builder.remote(self._request["remote"]).create()
        self._session = session
        for kind in ("catalog", "schema"):
            if self._request[kind]:
                session.sql(f"USE {kind.upper()} {quote(self._request[kind])}")
        for statement in self._request["statements"]:
            if self._cancelled.is_set():
                raise InterruptedError("The statement was cancelled.")
            result = execute(session, statement, self._request["row_limit"])
            self._send("result", statement=statement, **dataclasses.asdict(result))

    def _send(self, event: str, **values: object) -> None:
        self._channel.send(event, script=self._request["script"], **values)


def execute(session: SparkSession, statement: str, row_limit: int | None) -> ResultSet:
    """The statement's result, empty for a command; ResultTooLarge above 25 MiB."""
    frame = session.sql(statement)
    if inserts_rows(statement):
        # Of UPDATE, DELETE and MERGE Sail tells other numbers than Databricks does.
        ((count,),) = fetch(frame, None).rows
        return ResultSet(_INSERTED, [[count, count]], False)
    if not returns_rows(statement):
        return ResultSet([], [], False)
    result = fetch(frame, row_limit)
    if sum(len(value or "") for row in result.rows for value in row) > MAX_BYTES:
        raise ResultTooLarge(
            f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a "
            f"result size of at most {MAX_BYTES} bytes. Select fewer rows or set a row_limit."
        )
    return result


def describe(error: Exception) -> tuple[str, str | None]:
    """The message's first line from its error class on, and the SQLSTATE where the engine gave one."""
    line = str(error).partition("\n")[0]
    found = _ERROR_CLASS.search(line)
    state = error.getSqlState() if isinstance(error, PySparkException) else None
    return found[0] if found else line, None if state == _UNKNOWN_STATE else state
