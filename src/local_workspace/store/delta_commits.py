"""Ratifying the commits of catalog-managed Delta tables: of all writers of a version, one wins.

A writer stages its commit file, has it ratified here and then publishes it to `_delta_log`. Commits
are kept here when they are published too, and their staged files stay: Sail asks for each version that
it is not told of in a request of its own, and then takes any staged file of that version, or fails
where a writer that lost has left one beside the winner's.
Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables and
https://github.com/unitycatalog/unitycatalog/blob/main/api/all.yaml (DeltaCommit, DeltaGetCommits).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from databricks.sdk.service.catalog import ColumnInfo

from local_workspace.errors import InvalidParameterValue, ResourceConflict, ResourceDoesNotExist
from local_workspace.store.copies import Copies, marked_copy
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now


@dataclass(frozen=True)
class DeltaCommit:
    """A staged commit file; times are milliseconds since the epoch, the size is in bytes."""

    version: int
    timestamp: int
    file_name: str
    file_size: int
    file_modification_timestamp: int


@dataclass(frozen=True)
class RatifiedCommits:
    """The commits that a reader asked for; `latest_version` is -1 before the first commit."""

    commits: list[DeltaCommit]
    latest_version: int


class DeltaCommits:
    def __init__(self, db: Database, copies: Copies) -> None:
        self._db = db
        self._copies = copies

    def ratified(
        self, table_id: str, table_uri: str, start_version: int, end_version: int | None
    ) -> RatifiedCommits:
        """The commits from `start_version` to `end_version`, both included."""
        table = self._table(table_id, table_uri)
        last = table["latest_version"] if end_version is None else end_version
        rows = self._db.all(
            "SELECT version, timestamp, file_name, file_size, file_modification_timestamp "
            "FROM delta_commits WHERE table_id = ? AND version BETWEEN ? AND ? ORDER BY version",
            (table_id, start_version, last),
        )
        return RatifiedCommits([DeltaCommit(*row) for row in rows], table["latest_version"] or -1)

    def ratify(
        self,
        table_id: str,
        table_uri: str,
        commit: DeltaCommit | None,
        *,
        published_version: int | None,
        metadata: Mapping[str, Any],
    ) -> None:
        """Make `commit` the table's next version, and take what it changes of the table.

        Raises ResourceConflict where another writer was first: the version is not latest + 1, and
        InvalidState for a COPY INTO whose files were loaded meanwhile.
        """
        with self._db.transaction():
            table = self._table(table_id, table_uri)
            if published_version is not None:
                _require_ratified(table, published_version)
            if commit is not None:
                self._append(table, commit)
            self._db.update("tables", "table_id", table_id, _table_changes(metadata))

    def _table(self, table_id: str, table_uri: str) -> Row:
        table = self._db.one("SELECT * FROM named_tables WHERE table_id = ?", (table_id,))
        if table is None:
            raise ResourceDoesNotExist(f"Table with id '{table_id}' does not exist.")
        if table["storage_location"].rstrip("/") != table_uri.rstrip("/"):
            raise InvalidParameterValue(
                f"Table '{table['full_name']}' is not stored at '{table_uri}'."
            )
        return table

    def _append(self, table: Row, commit: DeltaCommit) -> None:
        expected = table["latest_version"] + 1
        if commit.version != expected:
            raise ResourceConflict(
                f"Version {commit.version} of table '{table['full_name']}' cannot be committed: "
                f"the next version is {expected}."
            )
        self._db.insert("delta_commits", {"table_id": table["table_id"], **asdict(commit)})
        self._db.update("tables", "table_id", table["table_id"], {"latest_version": commit.version})
        self._note_copied_files(table, commit)

    def _note_copied_files(self, table: Row, commit: DeltaCommit) -> None:
        info = _commit_info(table["storage_location"], commit.file_name)
        if copy_id := marked_copy(info.get("userMetadata")):
            row_count = info.get("operationMetrics", {}).get("numOutputRows")
            self._copies.ratify(copy_id, table["table_id"], commit.version, row_count)


def _commit_info(storage_location: str, file_name: str) -> dict[str, Any]:
    """The commitInfo of a staged commit, its first action; empty where the file is of another kind."""
    folder = Path(storage_location.removeprefix("file://"), "_delta_log", "_staged_commits")
    try:
        with (folder / Path(file_name).name).open() as file:
            action: dict[str, dict[str, Any]] = json.loads(file.readline())
    except (FileNotFoundError, ValueError):
        return {}
    return action.get("commitInfo", {})


def _require_ratified(table: Row, published_version: int) -> None:
    if published_version > table["latest_version"]:
        raise InvalidParameterValue(
            f"Version {published_version} of table '{table['full_name']}' cannot be published: "
            f"the latest version is {table['latest_version']}."
        )


def _table_changes(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a commit with a metadata action changes of the table that the catalog shows."""
    changes: dict[str, Any] = {"updated_at": now()}
    if "description" in metadata:
        changes["comment"] = metadata["description"]
    if "schema" in metadata:
        columns = metadata["schema"].get("columns", [])
        changes["columns"] = json.dumps(
            [ColumnInfo.from_dict(column).as_dict() for column in columns]
        )
    if "properties" in metadata:
        changes["properties"] = json.dumps(metadata["properties"].get("properties", {}))
    return changes
