"""Volumes of Unity Catalog: rows in SQLite, files in `/Volumes/<catalog>/<schema>/<volume>`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from databricks.sdk.service.catalog import VolumeInfo, VolumeType

from local_workspace.errors import InvalidParameterValue, ResourceAlreadyExists
from local_workspace.paths import resolve, resolve_entry
from local_workspace.settings import USER_NAME
from local_workspace.store import folders, names, securables
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now


class Volumes:
    def __init__(self, db: Database, mounts: Path) -> None:
        self._db = db
        self._mounts = mounts
        self.uploads = mounts / ".uploads"
        """Where files grow until they are complete: in no mount, on the same file system."""
        self.uploads.mkdir(parents=True, exist_ok=True)

    def create(
        self, catalog_name: str, schema_name: str, name: str, comment: str | None = None
    ) -> VolumeInfo:
        with self._db.transaction():
            schema = securables.get(self._db, "schema", f"{catalog_name}.{schema_name}")
            full_name = f"{schema['full_name']}.{names.new_name(name)}"
            self._require_free(full_name)
            created = now()
            values = {
                "volume_id": str(uuid.uuid4()),
                "schema_id": schema["schema_id"],
                "name": names.new_name(name),
                "comment": comment,
                "owner": USER_NAME,
                "created_at": created,
                "updated_at": created,
            }
            self._db.insert("volumes", values)
            self._folder(full_name).mkdir(parents=True, exist_ok=True)
        return self.get(full_name)

    def in_schema(self, catalog_name: str, schema_name: str) -> list[VolumeInfo]:
        schema = securables.get(self._db, "schema", f"{catalog_name}.{schema_name}")
        rows = self._db.all(
            "SELECT * FROM named_volumes WHERE schema_id = ? ORDER BY name", (schema["schema_id"],)
        )
        return [self._info(row) for row in rows]

    def get(self, full_name: str) -> VolumeInfo:
        return self._info(securables.get(self._db, "volume", full_name))

    def update(
        self, full_name: str, changes: Mapping[str, Any], new_name: str | None = None
    ) -> VolumeInfo:
        """Change `comment` or `owner`; a new name moves the files."""
        with self._db.transaction():
            volume = securables.get(self._db, "volume", full_name)
            if not changes and not new_name:
                raise InvalidParameterValue("UpdateVolume Nothing to update")
            values = {**changes, "updated_at": now()}
            self._db.update("volumes", "volume_id", volume["volume_id"], values)
            renamed = self._rename(volume, new_name) if new_name else volume["full_name"]
        return self.get(renamed)

    def delete(self, full_name: str) -> None:
        """Delete the volume and its files."""
        with self._db.transaction():
            volume = securables.get(self._db, "volume", full_name)
            self._db.execute("DELETE FROM volumes WHERE volume_id = ?", (volume["volume_id"],))
        folders.remove(self._folder(volume["full_name"]))

    def resolve(self, path: str) -> Path:
        """Where `/Volumes/<catalog>/<schema>/<volume>/...` is on this machine.

        Raises ResourceDoesNotExist where there is no such volume, InvalidParameterValue for any
        other path.
        """
        return resolve(self._mounts, self._named(path))

    def resolve_entry(self, path: str) -> Path:
        """As `resolve`, for what stands in its folder by that name: a link itself, wherever it leads."""
        return resolve_entry(self._mounts, self._named(path))

    def _named(self, path: str) -> str:
        """The path with the names of the catalog, schema and volume as they are spelled there."""
        parts = [part for part in path.split("/") if part]
        if not path.startswith("/") or len(parts) < 4 or parts[0] != "Volumes":
            raise InvalidParameterValue(
                f"Path '{path}' must begin with /Volumes/<catalog>/<schema>/<volume>."
            )
        volume = securables.get(self._db, "volume", ".".join(parts[1:4]))
        return "/".join([_mounted(volume), *parts[4:]])

    def remove_files_of(self, full_name: str) -> None:
        """Remove the files of all volumes of a schema or a catalog that is no more."""
        folders.remove(self._folder(full_name))

    def remove_leftovers(self) -> None:
        """At start: remove uploads that a killed process has not finished."""
        for upload in self.uploads.iterdir():
            upload.unlink()

    def _rename(self, volume: Row, new_name: str) -> str:
        schema_name = volume["full_name"].rpartition(".")[0]
        renamed = f"{schema_name}.{names.new_name(new_name)}"
        if renamed != volume["full_name"]:
            self._require_free(renamed)
            values = {"name": names.new_name(new_name)}
            self._db.update("volumes", "volume_id", volume["volume_id"], values)
            self._folder(volume["full_name"]).rename(self._folder(renamed))
        return renamed

    def _require_free(self, full_name: str) -> None:
        if securables.find(self._db, "volume", full_name):
            raise ResourceAlreadyExists(f"Volume '{full_name}' already exists.")

    def _folder(self, full_name: str) -> Path:
        return self._mounts.joinpath("Volumes", *full_name.split("."))

    def _info(self, row: Row) -> VolumeInfo:
        return VolumeInfo(
            name=row["name"],
            catalog_name=row["catalog_name"],
            schema_name=row["schema_name"],
            full_name=row["full_name"],
            volume_id=row["volume_id"],
            volume_type=VolumeType.MANAGED,
            storage_location=self._folder(row["full_name"]).as_uri(),
            comment=row["comment"],
            owner=row["owner"],
            created_at=row["created_at"],
            created_by=USER_NAME,
            updated_at=row["updated_at"],
            updated_by=USER_NAME,
        )


def _mounted(volume: Row) -> str:
    return f"/Volumes/{volume['catalog_name']}/{volume['schema_name']}/{volume['name']}"
