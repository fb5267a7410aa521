"""COMMENT ON, OWNER TO and DESCRIBE VOLUME: what the catalog itself knows of an object."""

from __future__ import annotations

from databricks.sdk.errors import NotFound
from pyspark.sql import DataFrame

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context, dotted, encoded
from local_workspace.sql.conditions import (
    no_such_catalog,
    no_such_schema,
    no_such_table,
    no_such_volume,
)
from local_workspace.sql.object_commands import ChangeObject, DescribeVolume

_MISSING = {
    "catalogs": (1, no_such_catalog),
    "schemas": (2, no_such_schema),
    "tables": (3, no_such_table),
    "volumes": (3, no_such_volume),
}
"""How many parts the full name of each kind has, and the error where there is none."""

VOLUME = [
    ("name", "name"),
    ("catalog", "catalog_name"),
    ("database", "schema_name"),
    ("owner", "owner"),
    ("storageLocation", None),
    ("volumeType", "volume_type"),
    ("comment", "comment"),
]
"""Columns, and the fields of a volume in them; a managed volume shows no location."""


def change_object(context: Context, command: ChangeObject) -> None:
    parts, missing = _MISSING[command.kind]
    name = encoded(context.full_name(command.name, parts))
    try:
        context.call("PATCH", f"{UNITY_CATALOG}/{command.kind}/{name}", **command.changes)
    except NotFound:
        shown = command.name[0] if command.kind == "catalogs" else dotted(command.name)
        raise missing(shown) from None


def describe_volume(context: Context, command: DescribeVolume) -> DataFrame:
    try:
        volume = context.object("volumes", context.full_name(command.volume, 3))
    except NotFound:
        raise no_such_volume(dotted(command.volume)) from None
    row = [volume.get(field) if field else None for _, field in VOLUME]
    return context.frame([(column, "STRING") for column, _ in VOLUME], [row])
