"""Tables of Unity Catalog in SQLite.

A managed table is made in two steps: a staging table reserves its id and its folder, then creating
the table takes both over, so that a table and its first rows appear at once. Each managed table has
a folder named after its id.
Protocol: https://github.com/unitycatalog/unitycatalog/blob/main/api/all.yaml (CreateStagingTable,
CreateTable).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databricks.sdk.service.catalog import ColumnInfo, DataSourceFormat, TableInfo, TableType

from local_workspace.errors import InvalidParameterValue, ResourceAlreadyExists
from local_workspace.settings import USER_NAME
from local_workspace.store import folders, names, securables
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now


@dataclass(frozen=True)
class StagingTable:
    """Storage reserved for a managed table that does not exist yet; `location` is a file: URL."""

    table_id: str
    catalog_name: str
    schema_name: str
    name: str
    location: str


@dataclass(frozen=True)
class NewTable:
    """What a table is created from. A managed table's location is that of its staging table."""

    catalog_name: str
    schema_name: str
    name: str
    table_type: TableType
    data_source_format: DataSourceFormat
    storage_location: str
    columns: Sequence[ColumnInfo] = ()
    comment: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


class Tables:
    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder

    def stage(self, catalog_name: str, schema_name: str, name: str) -> StagingTable:
        with self._db.transaction():
            schema = securables.get(self._db, "schema", f"{catalog_name}.{schema_name}")
            table_id = str(uuid.uuid4())
            folder = self._folder / table_id
            values = {
                "table_id": table_id,
                "schema_id": schema["schema_id"],
                "name": names.new_name(name),
                "storage_location": f"file://{folder}",
            }
            self._db.insert("staging_tables", values)
        return StagingTable(
            table_id=table_id,
            catalog_name=schema["catalog_name"],
            schema_name=schema["name"],
            name=values["name"],
            location=values["storage_location"],
        )

    def create(self, table: NewTable) -> TableInfo:
        """Create a table; a managed one takes over its staging table's id and storage."""
        with self._db.transaction():
            schema = securables.get(self._db, "schema", f"{table.catalog_name}.{table.schema_name}")
            full_name = f"{schema['full_name']}.{names.new_name(table.name)}"
            if securables.find(self._db, "table", full_name):
                raise ResourceAlreadyExists(f"Table '{full_name}' already exists.")
            if table.table_type is TableType.MANAGED:
                _require_delta(full_name, table.data_source_format)
                table_id = self._take_staged(schema["schema_id"], full_name, table)
            else:
                _require_on_this_machine(table.storage_location)
                table_id = str(uuid.uuid4())
            self._insert(table_id, schema["schema_id"], table)
        return self.get(full_name)

    def in_schema(self, catalog_name: str, schema_name: str) -> list[TableInfo]:
        schema = securables.get(self._db, "schema", f"{catalog_name}.{schema_name}")
        rows = self._db.all(
            "SELECT * FROM named_tables WHERE schema_id = ? ORDER BY name", (schema["schema_id"],)
        )
        return [_table_info(row) for row in rows]

    def like(self, catalog_name: str, schema_pattern: str, table_pattern: str) -> list[TableInfo]:
        """The catalog's tables whose names fit the SQL LIKE patterns, by name."""
        catalog = securables.get(self._db, "catalog", catalog_name)
        rows = self._db.all(
            "SELECT * FROM named_tables WHERE catalog_name = ? AND schema_name LIKE ? AND name LIKE ?"
            " ORDER BY full_name",
            (catalog["name"], schema_pattern, table_pattern),
        )
        return [_table_info(row) for row in rows]

    def get(self, full_name: str) -> TableInfo:
        return _table_info(securables.get(self._db, "table", full_name))

    def exists(self, full_name: str) -> bool:
        return securables.find(self._db, "table", full_name) is not None

    def set_owner(self, full_name: str, owner: str) -> None:
        with self._db.transaction():
            table_id = securables.get(self._db, "table", full_name)["table_id"]
            changes = {"owner": owner, "updated_at": now()}
            self._db.update("tables", "table_id", table_id, changes)

    def delete(self, full_name: str) -> None:
        """Drop the table; a managed table's files go with it, an external one's stay."""
        with self._db.transaction():
            table_id = securables.get(self._db, "table", full_name)["table_id"]
            self._db.execute("DELETE FROM tables WHERE table_id = ?", (table_id,))
        folders.remove(self._folder / table_id)

    def managed_folders(self, schema_id: str) -> list[Path]:
        """The folders of a schema's tables, staged ones included."""
        rows = self._db.all(
            "SELECT table_id FROM tables WHERE schema_id = :id"
            " UNION SELECT table_id FROM staging_tables WHERE schema_id = :id",
            {"id": schema_id},
        )
        return [self._folder / row["table_id"] for row in rows]

    def remove_leftovers(self) -> None:
        """At start: forget staging tables that were never created, and folders of no table."""
        with self._db.transaction():
            self._db.execute("DELETE FROM staging_tables")
        tables = {
            self._folder / row["table_id"] for row in self._db.all("SELECT table_id FROM tables")
        }
        folders.remove_all_but(self._folder.iterdir(), tables)

    def _take_staged(self, schema_id: str, full_name: str, table: NewTable) -> str:
        staged = self._db.all(
            "DELETE FROM staging_tables WHERE schema_id = ? AND name = ? AND storage_location = ?"
            " RETURNING table_id",
            (schema_id, names.new_name(table.name), table.storage_location.rstrip("/")),
        )
        if not staged:
            raise InvalidParameterValue(
                f"Managed table '{full_name}' has no staging table at '{table.storage_location}'; "
                "create it with CREATE TABLE in Spark SQL."
            )
        table_id: str = staged[0]["table_id"]
        return table_id

    def _insert(self, table_id: str, schema_id: str, table: NewTable) -> None:
        created = now()
        values = {
            "table_id": table_id,
            "schema_id": schema_id,
            "name": names.new_name(table.name),
            "table_type": table.table_type.value,
            "data_source_format": table.data_source_format.value,
            "columns": json.dumps([column.as_dict() for column in table.columns]),
            "comment": table.comment,
            "properties": json.dumps(dict(table.properties)),
            "storage_location": table.storage_location.rstrip("/"),
            "created_at": created,
            "updated_at": created,
        }
        self._db.insert("tables", values)


def _require_delta(full_name: str, data_source_format: DataSourceFormat) -> None:
    if data_source_format is not DataSourceFormat.DELTA:
        raise InvalidParameterValue(
            f"Managed table '{full_name}' cannot be stored as {data_source_format.value}, only as DELTA: "
            "create it USING DELTA, or set spark.sql.sources.default to delta in the Spark session."
        )


def _require_on_this_machine(storage_location: str) -> None:
    """Elsewhere Databricks needs an external location, which grants the access to it."""
    if not storage_location.startswith(("/", "file:/")):
        raise InvalidParameterValue(
            f"No parent external location was found for path '{storage_location}'. The local workspace "
            "has no external locations: name an absolute path of this machine."
        )


def _table_info(row: Row) -> TableInfo:
    columns: list[dict[str, Any]] = json.loads(row["columns"])
    return TableInfo(
        name=row["name"],
        catalog_name=row["catalog_name"],
        schema_name=row["schema_name"],
        full_name=row["full_name"],
        table_id=row["table_id"],
        table_type=TableType(row["table_type"]),
        data_source_format=DataSourceFormat(row["data_source_format"]),
        columns=[ColumnInfo.from_dict(column) for column in columns],
        storage_location=row["storage_location"],
        comment=row["comment"],
        properties=json.loads(row["properties"]),
        owner=row["owner"],
        created_at=row["created_at"],
        created_by=USER_NAME,
        updated_at=row["updated_at"],
        updated_by=USER_NAME,
    )
