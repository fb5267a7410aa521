"""SHOW TBLPROPERTIES, SHOW CREATE TABLE and SHOW COLUMNS: what a table is, from its Delta log."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField, StructType

from local_workspace.runtime.commands.context import Context
from local_workspace.runtime.commands.delta_log import Snapshot
from local_workspace.runtime.commands.tables import find_table, full_name, log_of
from local_workspace.runtime.result_set import type_text
from local_workspace.sql import table_commands as t
from local_workspace.sql.cursor import Name
from local_workspace.sql.identifiers import quote
from local_workspace.sql.parameters import string_literal

_OWN = ("delta.", "io.unitycatalog.")
"""Properties that a new table gets by itself."""


def show_properties(context: Context, command: t.ShowProperties) -> DataFrame:
    snapshot = _snapshot(context, command.table)
    protocol = snapshot.protocol
    versions = {name: str(protocol[name]) for name in ("minReaderVersion", "minWriterVersion")}
    properties = {
        **snapshot.metadata["configuration"],
        **{f"delta.{name}": value for name, value in versions.items()},
    }
    rows = sorted(properties.items())
    if command.key is not None:
        message = f"Table {'.'.join(command.table)} does not have property: {command.key}"
        rows = [(command.key, properties.get(command.key, message))]
    return context.frame([("key", "STRING"), ("value", "STRING")], rows)


def show_columns(context: Context, command: t.ShowColumns) -> DataFrame:
    fields = _snapshot(context, command.table).schema["fields"]
    return context.frame([("col_name", "STRING")], [[field["name"]] for field in fields])


def show_create_table(context: Context, command: t.ShowCreateTable) -> DataFrame:
    """A statement that creates such a table, as text."""
    table = find_table(context, command.table)
    snapshot = log_of(context, table).replayed()
    schema = StructType.fromJson(snapshot.schema)
    columns = ",\n  ".join(map(_definition, schema))
    name = ".".join(map(_plain, full_name(table)))
    lines = [f"CREATE TABLE {name} (\n  {columns})", "USING delta", *_clauses(snapshot)]
    return context.frame([("createtab_stmt", "STRING")], [["\n".join(lines)]])


def _snapshot(context: Context, table: Name) -> Snapshot:
    return log_of(context, find_table(context, table)).replayed()


def _definition(field: StructField) -> str:
    comment = field.metadata.get("comment")
    parts = [_plain(field.name), type_text(field.dataType)]
    parts += [] if field.nullable else ["NOT NULL"]
    parts += [] if comment is None else ["COMMENT", string_literal(comment)]
    return " ".join(parts)


def _plain(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else quote(name)


def _clauses(snapshot: Snapshot) -> list[str]:
    metadata = snapshot.metadata
    properties = {
        key: value for key, value in metadata["configuration"].items() if not key.startswith(_OWN)
    }
    clauses = []
    if partitions := metadata["partitionColumns"]:
        clauses.append(f"PARTITIONED BY ({', '.join(map(_plain, partitions))})")
    if metadata.get("description") is not None:
        clauses.append(f"COMMENT {string_literal(metadata['description'])}")
    if properties:
        pairs = (
            f"{string_literal(key)} = {string_literal(value)}"
            for key, value in sorted(properties.items())
        )
        clauses.append(f"TBLPROPERTIES (\n  {',\n  '.join(pairs)})")
    return clauses
