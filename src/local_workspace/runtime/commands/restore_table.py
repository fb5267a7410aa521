"""RESTORE: one commit that makes a table what it was at a version; no data file of a table is ever removed.

https://docs.databricks.com/sql/language-manual/delta-restore
"""

from __future__ import annotations

from pyspark.sql import DataFrame

from local_workspace.runtime.commands.context import Context
from local_workspace.runtime.commands.delta_log import Action, DeltaLog, Snapshot, committed_at
from local_workspace.runtime.commands.table_commit import (
    Change,
    added,
    amend,
    removed,
    require_managed,
)
from local_workspace.runtime.commands.tables import find_table, log_of
from local_workspace.sql.errors import SqlError, error
from local_workspace.sql.table_commands import RestoreTable

RESULT = [
    ("table_size_after_restore", "BIGINT"),
    ("num_of_files_after_restore", "BIGINT"),
    ("num_removed_files", "BIGINT"),
    ("num_restored_files", "BIGINT"),
    ("removed_files_size", "BIGINT"),
    ("restored_files_size", "BIGINT"),
]


def restore_table(context: Context, command: RestoreTable) -> DataFrame:
    """The numbers and bytes of the files that were removed and restored."""
    table = find_table(context, command.table)
    require_managed(table, "RESTORE")
    log = log_of(context, table)
    version = _version(context, command, log)
    target = log.replayed(version)
    row: list[int] = []

    def change_of(current: Snapshot) -> Change:
        gone = [file for key, file in current.files.items() if key not in target.files]
        back = [file for key, file in target.files.items() if key not in current.files]
        sizes = [sum(file["size"] for file in files) for files in (gone, back)]
        row[:] = [target.size, len(target.files), len(gone), len(back), *sizes]
        parameters = {"version": str(version), "timestamp": command.timestamp}
        files = [*map(removed, gone), *map(added, back)]
        return Change("RESTORE", parameters, _metadata(target, current), None, files, _metrics(row))

    amend(context, table, change_of)
    return context.frame(RESULT, [row])


def _version(context: Context, command: RestoreTable, log: DeltaLog) -> int:
    if command.version is not None:
        if command.version > log.latest:
            raise _no_such_version(command.version, log)
        return command.version
    milliseconds = f"SELECT unix_millis(CAST({command.timestamp} AS TIMESTAMP))"
    asked = context.session.sql(milliseconds).collect()[0][0]
    for version in log.versions():
        if _committed_at(log, version) <= asked:
            return version
    message = f"The timestamp {command.timestamp} is before the earliest version of the table."
    raise error("DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", message, "42816")


def _committed_at(log: DeltaLog, version: int) -> int:
    infos = (action["commitInfo"] for action in log.actions(version) if "commitInfo" in action)
    return committed_at(next(infos))


def _no_such_version(version: int, log: DeltaLog) -> SqlError:
    message = f"Cannot time travel Delta table to version {version}. Available versions: [0, {log.latest}]."
    return error("DELTA_VERSION_NOT_FOUND", message, "22003")


def _metadata(target: Snapshot, current: Snapshot) -> Action | None:
    return None if target.metadata == current.metadata else target.metadata


def _metrics(row: list[int]) -> dict[str, int]:
    names = ("tableSizeAfterRestore", "numOfFilesAfterRestore", "numRemovedFiles")
    more = ("numRestoredFiles", "removedFilesSize", "restoredFilesSize")
    return dict(zip((*names, *more), row, strict=True))
