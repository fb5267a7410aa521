"""ALTER TABLE and COMMENT ON: each is one commit that changes a table's metadata, and what the catalog shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local_workspace.runtime.commands.context import Context, dotted
from local_workspace.runtime.commands.delta_log import Action, Snapshot
from local_workspace.runtime.commands.scratch_table import (
    defined,
    empty_frame,
    scratch_folder,
    with_features,
    written,
)
from local_workspace.runtime.commands.table_commit import Change, amend
from local_workspace.runtime.commands.tables import find_table
from local_workspace.sql import table_commands as t
from local_workspace.sql.cursor import Name
from local_workspace.sql.errors import SqlError, error, unsupported
from local_workspace.sql.identifiers import quote


def add_columns(context: Context, command: t.AddColumns) -> None:
    table = find_table(context, command.table)
    _require_nullable(command)
    with scratch_folder(table) as folder:
        written_columns = written(empty_frame(context, command.columns), folder)
    added = defined(written_columns, command.columns)

    def change_of(snapshot: Snapshot) -> Change:
        fields = snapshot.schema["fields"]
        known = {field["name"].lower() for field in fields}
        for field in added:
            if field["name"].lower() in known:
                raise _column_exists(field["name"])
        metadata = _with_fields(snapshot, [*fields, *added])
        shown = [{"column": field} for field in added]
        protocol = with_features(snapshot.protocol, written_columns.protocol)
        return Change("ADD COLUMNS", {"columns": json.dumps(shown)}, metadata, protocol)

    amend(context, table, change_of)


def _require_nullable(command: t.AddColumns) -> None:
    for column in command.columns:
        if not column.nullable:
            message = f"NOT NULL is not supported in ADD COLUMNS: {quote(column.name)}."
            raise error("DELTA_OPERATION_NOT_ALLOWED_DETAIL", message, "0AKDC")


def comment_column(context: Context, command: t.CommentColumn) -> None:
    def commented(field: Action) -> Action:
        rest = {name: value for name, value in field["metadata"].items() if name != "comment"}
        comment = {} if command.comment is None else {"comment": command.comment}
        return {**field, "metadata": {**rest, **comment}}

    _change_column(context, command.table, command.column, commented)


def drop_not_null(context: Context, command: t.DropNotNull) -> None:
    def nullable(field: Action) -> Action:
        return {**field, "nullable": True}

    _change_column(context, command.table, command.column, nullable)


def comment_table(context: Context, command: t.CommentTable) -> None:
    def change_of(snapshot: Snapshot) -> Change:
        metadata = {**snapshot.metadata, "description": command.comment}
        shown = json.dumps({"comment": command.comment})
        return Change("SET TBLPROPERTIES", {"properties": shown}, metadata)

    amend(context, find_table(context, command.table), change_of)


def set_properties(context: Context, command: t.SetProperties) -> None:
    require_own(command.properties)

    def change_of(snapshot: Snapshot) -> Change:
        properties = {**snapshot.metadata["configuration"], **command.properties}
        metadata = {**snapshot.metadata, "configuration": properties}
        shown = json.dumps(command.properties)
        return Change("SET TBLPROPERTIES", {"properties": shown}, metadata)

    amend(context, find_table(context, command.table), change_of)


def unset_properties(context: Context, command: t.UnsetProperties) -> None:
    require_own(dict.fromkeys(command.keys, ""))

    def change_of(snapshot: Snapshot) -> Change:
        properties = dict(snapshot.metadata["configuration"])
        for key in command.keys:
            if properties.pop(key, None) is None and not command.if_exists:
                raise _no_such_property(key, command.table)
        metadata = {**snapshot.metadata, "configuration": properties}
        parameters = {"properties": json.dumps(command.keys), "ifExists": command.if_exists}
        return Change("UNSET TBLPROPERTIES", parameters, metadata)

    amend(context, find_table(context, command.table), change_of)


def require_own(properties: dict[str, str]) -> None:
    """SqlError for a property that means something to Delta or to the catalog: its effect is not there."""
    for key in properties:
        if key.startswith(("delta.", "io.unitycatalog.")):
            raise unsupported(f"the table property {key}", "leave it out")


def _change_column(
    context: Context, name: Name, column: str, changed: Callable[[Action], Action]
) -> None:
    def change_of(snapshot: Snapshot) -> Change:
        fields = [
            changed(field) if field["name"].lower() == column.lower() else field
            for field in snapshot.schema["fields"]
        ]
        found = [field for field in fields if field["name"].lower() == column.lower()]
        if not found:
            raise _no_such_column(column, snapshot)
        parameters = {"column": json.dumps(found[0])}
        return Change("CHANGE COLUMN", parameters, _with_fields(snapshot, fields))

    amend(context, find_table(context, name), change_of)


def _with_fields(snapshot: Snapshot, fields: list[Action]) -> dict[str, Any]:
    schema = {**snapshot.schema, "fields": fields}
    return {**snapshot.metadata, "schemaString": json.dumps(schema)}


def _column_exists(name: str) -> SqlError:
    message = f"Cannot add column, because {quote(name)} already exists."
    return error("FIELD_ALREADY_EXISTS", message, "42710")


def _no_such_column(name: str, snapshot: Snapshot) -> SqlError:
    names = ", ".join(quote(field["name"]) for field in snapshot.schema["fields"])
    message = (
        f"A column, variable, or function parameter with name {quote(name)} cannot be resolved. "
        f"Did you mean one of the following? [{names}]."
    )
    return error("UNRESOLVED_COLUMN.WITH_SUGGESTION", message, "42703")


def _no_such_property(key: str, table: Name) -> SqlError:
    message = (
        f"Cannot unset the nonexistent properties on the table {dotted(table)}: {key}. Use "
        "UNSET TBLPROPERTIES IF EXISTS to tolerate that."
    )
    return error("UNSET_NONEXISTENT_PROPERTIES", message, "42K0J")
