"""Commit conflicts, as Delta words them: which commit came between a statement's read and its own.

The engine says no more than that one did. All conflicts are found by version, not by file or row, so an
append that comes between conflicts too, as with the isolation level Serializable.
https://docs.databricks.com/optimizations/isolation-level
https://docs.databricks.com/error-messages/error-classes
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyspark.errors import PySparkException
from pyspark.errors.exceptions.connect import SparkConnectGrpcException

from local_workspace.runtime.commands.context import Context
from local_workspace.runtime.commands.delta_log import Action, DeltaLog
from local_workspace.runtime.commands.tables import find_table, full_name, log_of
from local_workspace.sql.command_parser import written_table
from local_workspace.sql.errors import SqlError, error

_SQL_STATE = "2D521"
_DOCS = "https://docs.databricks.com/optimizations/isolation-level"
_REFUSED = re.compile(r"Delta catalog commit conflict|prepared from snapshot version")
_READ = re.compile(
    r"from snapshot version (?P<read>\d+), but the catalog latest .* (?P<latest>\d+)"
)
_SHOWN = ("timestamp", "operation", "operationParameters", "isBlindAppend", "engineInfo", "txnId")


class ConcurrentModification(SqlError, SparkConnectGrpcException):
    """A commit that another one came before; user code may catch it as an error of Spark's."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(error(condition, text, _SQL_STATE).message, _SQL_STATE)
        self._errorClass = condition
        self._sql_state = _SQL_STATE


@contextmanager
def reported_as_deltas(context: Context, statement: str) -> Iterator[None]:
    """Raise ConcurrentModification where the engine fails because of a commit conflict."""
    try:
        yield
    except PySparkException as failed:
        conflict = _of_engine(context, statement, str(failed))
        if conflict is None:
            raise
        raise conflict from failed


def conflict_with(
    table: dict[str, Any], log: DeltaLog, versions: Sequence[int]
) -> ConcurrentModification:
    """Return the error for a commit to the table that those versions came before."""
    name = ".".join(full_name(table))
    for version in versions:
        if conflict := _conflict(name, version, log.actions(version)):
            return conflict
    return _written(name, versions[-1] if versions else log.latest, {})


def _of_engine(context: Context, statement: str, message: str) -> ConcurrentModification | None:
    name = written_table(statement) if _REFUSED.search(message) else None
    if name is None:
        return None
    table = find_table(context, name)
    log = log_of(context, table)
    if read := _READ.search(message):
        return conflict_with(table, log, range(int(read["read"]) + 1, int(read["latest"]) + 1))
    # Another writer was first by so little that the engine still took its version for the next one.
    return conflict_with(table, log, [log.latest])


def _conflict(name: str, version: int, actions: list[Action]) -> ConcurrentModification | None:
    """Return the first conflict in the order in which Delta looks for them."""
    kinds = {kind for action in actions for kind in action}
    info: Action = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    commit = {"version": version, **{key: info[key] for key in _SHOWN if key in info}}
    if "protocol" in kinds:
        text = (
            "ProtocolChangedException: The protocol version of the Delta table has been changed by a "
            f"concurrent update. Refer to {_DOCS} for more details. "
            f"Conflicting commit: {json.dumps(commit)}"
        )
        return ConcurrentModification("DELTA_PROTOCOL_CHANGED.CONFLICTING_COMMIT", text)
    if "metaData" in kinds:
        text = (
            "MetadataChangedException: The metadata of the Delta table has been changed by a concurrent "
            f"update. Please try the operation again. Conflicting commit: {json.dumps(commit)} "
            f"Refer to {_DOCS} for more details."
        )
        return ConcurrentModification("DELTA_METADATA_CHANGED", text)
    if "add" in kinds:
        return _written(name, version, info)
    if "remove" in kinds:
        text = (
            f"Transaction conflict detected, a concurrent {info.get('operation')} deleted data from table "
            f"{name} (committed at version {version}) that this transaction read. The concurrent operation "
            f"deleted data read by this operation. {_RETRY}"
        )
        return ConcurrentModification("DELTA_CONCURRENT_DELETE_READ.WITHOUT_HINT", text)
    return None


def _written(name: str, version: int, info: Action) -> ConcurrentModification:
    text = (
        f"Transaction conflict detected. A concurrent {info.get('operation', 'WRITE')} added data to table "
        f"{name} committed at version {version}. {_RETRY}"
    )
    return ConcurrentModification("DELTA_CONCURRENT_APPEND.WITHOUT_HINT", text)


_RETRY = f"Please retry the operation. Refer to {_DOCS} for more information."
