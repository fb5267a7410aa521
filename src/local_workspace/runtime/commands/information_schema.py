"""INFORMATION_SCHEMA: what the catalog has now, as relations that a query of the engine reads.

https://docs.databricks.com/sql/language-manual/sql-ref-information-schema
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from databricks.sdk.errors import NotFound
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context
from local_workspace.sql.conditions import no_such_catalog
from local_workspace.sql.information_schema import Reference, references, replaced

Object = dict[str, Any]
SYSTEM = "system"
"""Its INFORMATION_SCHEMA is that of all catalogs."""

_CHANGES: list[tuple[str, str, str | None]] = [
    ("created", "TIMESTAMP", "created_at"),
    ("created_by", "STRING", "created_by"),
    ("last_altered", "TIMESTAMP", "updated_at"),
    ("last_altered_by", "STRING", "updated_by"),
]
COLUMNS: dict[str, list[tuple[str, str, str | None]]] = {
    "catalogs": [
        ("catalog_name", "STRING", "name"),
        ("catalog_owner", "STRING", "owner"),
        ("comment", "STRING", "comment"),
        *_CHANGES,
    ],
    "schemata": [
        ("catalog_name", "STRING", "catalog_name"),
        ("schema_name", "STRING", "name"),
        ("schema_owner", "STRING", "owner"),
        ("comment", "STRING", "comment"),
        *_CHANGES,
    ],
    "tables": [
        ("table_catalog", "STRING", "catalog_name"),
        ("table_schema", "STRING", "schema_name"),
        ("table_name", "STRING", "name"),
        ("table_type", "STRING", "table_type"),
        ("is_insertable_into", "STRING", "is_insertable_into"),
        ("commit_action", "STRING", "commit_action"),
        ("table_owner", "STRING", "owner"),
        ("comment", "STRING", "comment"),
        *_CHANGES,
        ("data_source_format", "STRING", "data_source_format"),
        ("storage_path", "STRING", "storage_location"),
        ("storage_sub_directory", "STRING", None),
    ],
    "columns": [
        ("table_catalog", "STRING", "catalog_name"),
        ("table_schema", "STRING", "schema_name"),
        ("table_name", "STRING", "table_name"),
        ("column_name", "STRING", "name"),
        ("ordinal_position", "INT", "ordinal_position"),
        ("column_default", "STRING", None),
        ("is_nullable", "STRING", "is_nullable"),
        ("full_data_type", "STRING", "full_data_type"),
        ("data_type", "STRING", "type_name"),
        ("comment", "STRING", "comment"),
    ],
    "volumes": [
        ("volume_catalog", "STRING", "catalog_name"),
        ("volume_schema", "STRING", "schema_name"),
        ("volume_name", "STRING", "name"),
        ("volume_type", "STRING", "volume_type"),
        ("volume_owner", "STRING", "owner"),
        ("comment", "STRING", "comment"),
        *_CHANGES,
        ("storage_location", "STRING", "storage_location"),
    ],
}
"""Of each relation: names, SQL types, and the fields of the catalog's objects in them."""


def with_information_schema(context: Context, statement: str) -> tuple[str, dict[str, Any]]:
    """The statement for `session.sql`, and the relations that it names as its arguments."""
    found = references(statement)
    if not found:
        return statement, {}
    frames: dict[str, Any] = {
        f"relation_{index}": _relation(context, one) for index, one in enumerate(found)
    }
    return replaced(statement, found, list(frames)), frames


def _relation(context: Context, reference: Reference) -> DataFrame:
    columns = COLUMNS[reference.relation]
    objects = _objects(context, reference.relation, _catalogs(context, reference.catalog))
    rows = [[_value(found, kind, field) for _, kind, field in columns] for found in objects]
    return context.frame([(name, kind) for name, kind, _ in columns], rows)


def _catalogs(context: Context, name: str | None) -> list[Object]:
    if name == SYSTEM:
        return context.catalogs()
    name = name or context.session.catalog.currentCatalog()
    try:
        return [context.object("catalogs", (name,))]
    except NotFound:
        raise no_such_catalog(name) from None


def _objects(context: Context, relation: str, catalogs: list[Object]) -> Iterator[Object]:
    if relation == "catalogs":
        yield from catalogs
        return
    for catalog in catalogs:
        for schema in _listed(context, "schemas", catalog_name=catalog["name"]):
            if relation == "schemata":
                yield schema
            else:
                yield from _in_schema(context, relation, catalog["name"], schema["name"])


def _in_schema(context: Context, relation: str, catalog: str, schema: str) -> Iterator[Object]:
    parent = {"catalog_name": catalog, "schema_name": schema}
    if relation == "volumes":
        yield from _listed(context, "volumes", **parent)
        return
    for table in _listed(context, "tables", **parent):
        if relation == "tables":
            yield {**table, "is_insertable_into": "YES", "commit_action": "PRESERVE"}
        else:
            yield from (_column(table, column) for column in table.get("columns", ()))


def _column(table: Object, column: Object) -> Object:
    (kind,) = StructType.fromJson({"fields": [json.loads(column["type_json"])]})
    return {
        **column,
        "catalog_name": table["catalog_name"],
        "schema_name": table["schema_name"],
        "table_name": table["name"],
        "ordinal_position": column["position"] + 1,
        "is_nullable": "YES" if column["nullable"] else "NO",
        "full_data_type": kind.dataType.simpleString(),
    }


def _listed(context: Context, kind: str, **parent: str) -> list[Object]:
    found: list[Object] = context.call("GET", f"{UNITY_CATALOG}/{kind}", **parent).get(kind, [])
    return found


def _value(found: Object, kind: str, field: str | None) -> Any:
    value = found.get(field) if field else None
    if kind != "TIMESTAMP" or value is None:
        return value
    return datetime.fromtimestamp(value / 1000, UTC)
