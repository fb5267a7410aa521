"""Unity Catalog in SQLite: catalogs and schemas, and what they hold."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from databricks.sdk.service.catalog import CatalogInfo, CatalogType, SchemaInfo

from local_workspace.errors import (
    FeatureDisabled,
    InvalidParameterValue,
    InvalidState,
    ResourceAlreadyExists,
)
from local_workspace.settings import USER_NAME
from local_workspace.store import folders, names, securables
from local_workspace.store.copies import Copies
from local_workspace.store.database import Database, Row
from local_workspace.store.delta_commits import DeltaCommits
from local_workspace.store.grants import Grants
from local_workspace.store.jobs import now
from local_workspace.store.tables import Tables

DEFAULT_CATALOG = "main"
"""Where sessions begin."""
RESERVED = ("hive_metastore", "samples", "spark_catalog", "system")
"""Names of catalogs that Databricks, or the Spark engine, has itself."""


class Catalog:
    """Catalogs and schemas; `tables`, `commits`, `copies` and `grants` hold the rest."""

    def __init__(self, db: Database, tables_folder: Path) -> None:
        self._db = db
        self.tables = Tables(db, tables_folder)
        self.copies = Copies(db)
        self.commits = DeltaCommits(db, self.copies)
        self.grants = Grants(db)

    def list_catalogs(self) -> list[CatalogInfo]:
        return [_catalog_info(row) for row in self._db.all("SELECT * FROM catalogs ORDER BY name")]

    def catalog_names(self) -> list[str]:
        return [row["name"] for row in self._db.all("SELECT name FROM catalogs ORDER BY name")]

    def get_catalog(self, name: str) -> CatalogInfo:
        return _catalog_info(securables.get(self._db, "catalog", name))

    def create_catalog(
        self,
        name: str,
        comment: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> CatalogInfo:
        """A catalog with the schema `default`."""
        stored = names.new_name(name)
        if stored in RESERVED:
            raise InvalidParameterValue(f"'{name}' is a reserved name: choose another.")
        with self._db.transaction():
            if securables.find(self._db, "catalog", stored):
                raise ResourceAlreadyExists(f"Catalog '{stored}' already exists.")
            created = now()
            values = {
                "catalog_id": str(uuid.uuid4()),
                "name": stored,
                "comment": comment,
                "properties": json.dumps(properties or {}),
                "owner": USER_NAME,
                "created_at": created,
                "updated_at": created,
            }
            self._db.insert("catalogs", values)
            self.create_schema(stored, "default", "Default schema")
        return self.get_catalog(stored)

    def delete_catalog(self, name: str, *, force: bool = False) -> str:
        """Delete the catalog and, if forced, its schemas with all they hold; else InvalidState where it has any.

        As `delete_schema` does, it leaves the files of volumes, and answers with the name as it was stored.
        """
        with self._db.transaction():
            catalog = securables.get(self._db, "catalog", name)
            stored: str = catalog["name"]
            if stored == DEFAULT_CATALOG:
                raise FeatureDisabled(
                    f"The local workspace needs the catalog '{stored}', in which sessions begin: "
                    "delete its schemas instead."
                )
            schemas = self._db.all("SELECT * FROM schemas WHERE catalog_name = ?", (stored,))
            if schemas and not force:
                raise InvalidState(
                    f"Catalog '{stored}' is not empty. The catalog has {len(schemas)} schema(s): "
                    "delete them, or set force."
                )
            removed = [folder for schema in schemas for folder in self._forget_schema(schema)]
            self._db.execute("DELETE FROM catalogs WHERE name = ?", (stored,))
        for folder in removed:
            folders.remove(folder)
        return stored

    def update_catalog(self, name: str, changes: Mapping[str, Any]) -> CatalogInfo:
        """Change `comment`, `owner` or `properties`."""
        with self._db.transaction():
            catalog = securables.get(self._db, "catalog", name)
            values = _changed("UpdateCatalog", changes)
            self._db.update("catalogs", "catalog_id", catalog["catalog_id"], values)
        return self.get_catalog(name)

    def create_schema(
        self,
        catalog_name: str,
        name: str,
        comment: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> SchemaInfo:
        with self._db.transaction():
            catalog = securables.get(self._db, "catalog", catalog_name)
            full_name = f"{catalog['name']}.{names.new_name(name)}"
            if securables.find(self._db, "schema", full_name):
                raise ResourceAlreadyExists(f"Schema '{full_name}' already exists.")
            created = now()
            values = {
                "schema_id": str(uuid.uuid4()),
                "catalog_name": catalog["name"],
                "name": names.new_name(name),
                "comment": comment,
                "properties": json.dumps(properties or {}),
                "owner": USER_NAME,
                "created_at": created,
                "updated_at": created,
            }
            self._db.insert("schemas", values)
        return self.get_schema(full_name)

    def list_schemas(self, catalog_name: str) -> list[SchemaInfo]:
        catalog = securables.get(self._db, "catalog", catalog_name)
        rows = self._db.all(
            "SELECT * FROM named_schemas WHERE catalog_name = ? ORDER BY name", (catalog["name"],)
        )
        return [_schema_info(row) for row in rows]

    def get_schema(self, full_name: str) -> SchemaInfo:
        return _schema_info(securables.get(self._db, "schema", full_name))

    def update_schema(self, full_name: str, changes: Mapping[str, Any]) -> SchemaInfo:
        """Change `comment`, `owner` or `properties`."""
        with self._db.transaction():
            schema = securables.get(self._db, "schema", full_name)
            values = _changed("UpdateSchema", changes)
            self._db.update("schemas", "schema_id", schema["schema_id"], values)
        return self.get_schema(full_name)

    def delete_schema(self, full_name: str, *, force: bool = False) -> str:
        """Delete the schema and, if forced, what it holds; else InvalidState where it is not empty.

        The files of its tables go with it; those of its volumes are `Volumes`' to remove. Answers
        with the full name as it was stored.
        """
        with self._db.transaction():
            schema = securables.get(self._db, "schema", full_name)
            if not force:
                self._require_empty(schema)
            removed = self._forget_schema(schema)
        for folder in removed:
            folders.remove(folder)
        deleted: str = schema["full_name"]
        return deleted

    def _forget_schema(self, schema: Row) -> list[Path]:
        """The folders that its tables leave behind."""
        left = self.tables.managed_folders(schema["schema_id"])
        self._db.execute("DELETE FROM schemas WHERE schema_id = ?", (schema["schema_id"],))
        return left

    def _require_empty(self, schema: Row) -> None:
        counts = self._db.one(
            "SELECT (SELECT count(*) FROM tables WHERE schema_id = :id) AS tables,"
            " (SELECT count(*) FROM volumes WHERE schema_id = :id) AS volumes",
            {"id": schema["schema_id"]},
        )
        assert counts is not None
        if counts["tables"] or counts["volumes"]:
            raise InvalidState(
                f"Schema '{schema['full_name']}' is not empty. The schema has {counts['tables']} "
                f"tables(s), 0 functions(s), {counts['volumes']} volumes(s)"
            )


def _changed(call: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as they are stored; InvalidParameterValue where there are none."""
    if not changes:
        raise InvalidParameterValue(f"{call} Nothing to update")
    values = {**changes, "updated_at": now()}
    if "properties" in changes:
        values["properties"] = json.dumps(changes["properties"])
    return values


def _catalog_info(row: Row) -> CatalogInfo:
    return CatalogInfo(
        name=row["name"],
        full_name=row["name"],
        catalog_type=CatalogType.MANAGED_CATALOG,
        comment=row["comment"],
        properties=json.loads(row["properties"]),
        owner=row["owner"],
        created_at=row["created_at"],
        created_by=USER_NAME,
        updated_at=row["updated_at"],
        updated_by=USER_NAME,
    )


def _schema_info(row: Row) -> SchemaInfo:
    return SchemaInfo(
        name=row["name"],
        catalog_name=row["catalog_name"],
        full_name=row["full_name"],
        schema_id=row["schema_id"],
        catalog_type=CatalogType.MANAGED_CATALOG,
        comment=row["comment"],
        properties=json.loads(row["properties"]),
        owner=row["owner"],
        created_at=row["created_at"],
        created_by=USER_NAME,
        updated_at=row["updated_at"],
        updated_by=USER_NAME,
    )
