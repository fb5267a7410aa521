"""CREATE OR REPLACE TABLE: one commit gives a table other columns and rows; its history, id and grants stay.

The rows are written beside the table first, so a kill or an error leaves the table as it was.
https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-table-using
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from local_workspace.runtime.commands.alter_table import require_own
from local_workspace.runtime.commands.conflicts import conflict_with
from local_workspace.runtime.commands.context import Context, dotted, folder_of
from local_workspace.runtime.commands.delta_log import Action, Snapshot
from local_workspace.runtime.commands.engine import engine_sql
from local_workspace.runtime.commands.new_table import new_table
from local_workspace.runtime.commands.scratch_table import (
    defined,
    empty_frame,
    fields_of,
    scratch_folder,
    with_features,
    written,
)
from local_workspace.runtime.commands.table_commit import (
    Change,
    CommitConflict,
    added,
    commit,
    removed,
    require_managed,
)
from local_workspace.runtime.commands.tables import find_table, log_of
from local_workspace.sql.conditions import table_exists
from local_workspace.sql.cursor import Name
from local_workspace.sql.engine_errors import says_table_exists
from local_workspace.sql.errors import SqlError
from local_workspace.sql.table_commands import Column, CreateTableAs, ReplaceTable

_KEPT = ("delta.", "io.unitycatalog.")
"""What makes the table one of the catalog's."""


@dataclass(frozen=True)
class Replacement:
    """The rows that a table is to have, and its `columns` where the rows do not tell them."""

    frame: DataFrame
    columns: tuple[Column, ...] | None = None
    partitioned_by: tuple[str, ...] = ()
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    keeps_properties: bool = False
    """Whether the table keeps its own comment and properties instead."""


def replace_table(context: Context, command: ReplaceTable) -> None:
    """Raises SqlError where another writer commits meanwhile."""
    require_own(command.properties)
    name = context.full_name(command.table, 3)
    try:
        table = find_table(context, command.table)
    except SqlError as missing:
        if missing.sql_state != "42P01" or command.creation is None:
            raise
        if _create(context, name, command):
            return
        # Another session was first with a table of this name.
        table = find_table(context, command.table)
    replace_rows(context, table, _replacement(context, command))


def _create(context: Context, name: Name, command: ReplaceTable) -> bool:
    """Create the table that is not there; False where one is there meanwhile."""
    if command.query is not None:
        return create_rows(context, name, _replacement(context, command))
    assert command.creation is not None
    try:
        engine_sql(context.session, command.creation)
    except PySparkException as failed:
        if not says_table_exists(str(failed)):
            raise
        return False
    return True


def create_table_as(context: Context, command: CreateTableAs) -> None:
    """The engine leaves an empty table behind where it fails, and fails for aggregates and comments."""
    name = context.full_name(command.rows.table, 3)
    if context.session.catalog.tableExists(dotted(name)):
        exists = True
    else:
        exists = not create_rows(context, name, _replacement(context, command.rows))
    if exists and not command.if_not_exists:
        raise table_exists(dotted(command.rows.table))


def _replacement(context: Context, command: ReplaceTable) -> Replacement:
    query = command.query
    frame = engine_sql(context.session, query) if query else empty_frame(context, command.columns)
    return Replacement(
        frame,
        None if query else command.columns,
        command.partitioned_by,
        command.comment,
        command.properties,
    )


def replace_rows(context: Context, table: dict[str, Any], replacement: Replacement) -> None:
    """Give the table the replacement's columns and rows; SqlError as `replace_table`."""
    require_managed(table, "CREATE OR REPLACE TABLE")
    log = log_of(context, table)
    old = log.replayed()
    with scratch_folder(table) as folder:
        new = written(replacement.frame, folder, replacement.partitioned_by)
        change = _change(replacement, old, new)
        moved = [_move(file["path"], folder, folder_of(table)) for file in new.files.values()]
    try:
        commit(context, table, change, log.latest + 1, after=old.modified)
    except CommitConflict:
        for file in moved:
            file.unlink()
        newer = log_of(context, table)
        raise conflict_with(table, newer, range(log.latest + 1, newer.latest + 1)) from None


def create_rows(context: Context, name: Name, replacement: Replacement) -> bool:
    """A new table with the replacement's columns and rows; False where one is there meanwhile."""
    with new_table(context, name) as table:
        new = written(replacement.frame, table.folder, replacement.partitioned_by)
        metadata = {
            **new.metadata,
            "description": replacement.comment,
            "schemaString": json.dumps({**new.schema, "fields": _fields(replacement, new)}),
            "configuration": {**replacement.properties, **table.properties},
        }
        operation = "CREATE TABLE AS SELECT" if replacement.columns is None else "CREATE TABLE"
        return table.create(
            Change(
                operation,
                _parameters(replacement, metadata),
                metadata,
                table.protocol(new.protocol),
                [*map(added, new.files.values())],
                _metrics(new),
            )
        )


def _move(path: str, source: Path, target: Path) -> Path:
    """The data file at its place in the table; its name is unique."""
    file = target / unquote(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    os.rename(source / unquote(path), file)
    return file


def _change(replacement: Replacement, old: Snapshot, new: Snapshot) -> Change:
    is_select = replacement.columns is None
    metadata = _metadata(replacement, old, new)
    return Change(
        f"CREATE OR REPLACE TABLE{' AS SELECT' if is_select else ''}",
        _parameters(replacement, metadata),
        metadata,
        with_features(old.protocol, new.protocol),
        [*map(removed, old.files.values()), *map(added, new.files.values())],
        _metrics(new),
    )


def _parameters(replacement: Replacement, metadata: Action) -> dict[str, Any]:
    return {
        "partitionBy": json.dumps(replacement.partitioned_by),
        "description": metadata["description"],
        "isManaged": "true",
        "properties": json.dumps(replacement.properties),
    }


def _metrics(new: Snapshot) -> dict[str, int]:
    rows = [json.loads(file["stats"])["numRecords"] for file in new.files.values()]
    return {"numFiles": len(rows), "numOutputRows": sum(rows), "numOutputBytes": new.size}


def _metadata(replacement: Replacement, old: Snapshot, new: Snapshot) -> Action:
    configuration = old.metadata["configuration"]
    kept = {key: value for key, value in configuration.items() if key.startswith(_KEPT)}
    shown: Action = {"description": replacement.comment}
    shown["configuration"] = {**replacement.properties, **kept}
    if replacement.keeps_properties:
        shown = {key: old.metadata.get(key) for key in ("description", "configuration")}
    return {
        **new.metadata,
        **shown,
        "id": old.metadata["id"],
        "createdTime": old.metadata["createdTime"],
        "schemaString": json.dumps({**new.schema, "fields": _fields(replacement, new)}),
    }


def _fields(replacement: Replacement, new: Snapshot) -> list[Action]:
    if replacement.columns is not None:
        return defined(new, replacement.columns)
    return [_selected(column) for column in fields_of(new, replacement.frame.columns)]


def _selected(column: Action) -> Action:
    """A column of a query: as in Spark it can be null, and it keeps its comment."""
    metadata = {key: value for key, value in column["metadata"].items() if key == "comment"}
    return {**column, "nullable": True, "metadata": metadata}
