"""A writer of Delta commits that is not Spark: stages commit files, has them ratified and publishes them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk.service.catalog import DataSourceFormat, TableType

from local_workspace.store.catalog import Catalog
from local_workspace.store.commit_files import DeltaCommit
from local_workspace.store.tables import NewTable

NAME = "main.default.t"
APPEND = {
    "operation": "WRITE",
    "operationParameters": {"mode": "Append"},
    "isBlindAppend": True,
}
"""The operation in the commitInfo of an append."""


@dataclass(frozen=True)
class StagingTable:
    catalog: Catalog
    table_id: str
    location: str

    @classmethod
    def created(cls, catalog: Catalog) -> StagingTable:
        staged = catalog.tables.stage("main", "default", "t")
        catalog.tables.create(
            NewTable(
                "main", "default", "t", TableType.MANAGED, DataSourceFormat.DELTA, staged.location
            )
        )
        return cls(catalog, staged.table_id, staged.location)

    @classmethod
    def found(cls, catalog: Catalog) -> StagingTable:
        table = catalog.tables.get(NAME)
        assert table.table_id is not None
        assert table.storage_location is not None
        return cls(catalog, table.table_id, table.storage_location)

    @property
    def log(self) -> Path:
        return Path(self.location.removeprefix("file://"), "_delta_log")

    def stage(self, version: int, info: dict[str, Any], *actions: dict[str, Any]) -> DeltaCommit:
        folder = self.log / "_staged_commits"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{version:020}.{uuid.uuid4()}.json"
        lines = [{"commitInfo": {"inCommitTimestamp": 1, **info}}, *actions]
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return DeltaCommit(version, 1, file.name, file.stat().st_size, 1)

    def append(self, version: int, path: str) -> DeltaCommit:
        return self.stage(version, APPEND, {"add": {"path": path}})

    def ratify(self, commit: DeltaCommit) -> None:
        self.catalog.commits.ratify(
            self.table_id, self.location, commit, published_version=None, metadata={}
        )

    def publish(self, commit: DeltaCommit) -> None:
        """As Spark does: what it has staged, as the version that it asked for, unless that is there."""
        staged, published = self.staged(commit), self.published(commit.version)
        if staged.exists() and not published.exists():
            published.write_bytes(staged.read_bytes())

    def ratified(self) -> list[DeltaCommit]:
        return self.catalog.commits.ratified(self.table_id, self.location, 0, None).commits

    def staged(self, commit: DeltaCommit) -> Path:
        return self.log / "_staged_commits" / commit.file_name

    def published(self, version: int) -> Path:
        return self.log / f"{version:020}.json"

    def actions(self, commit: DeltaCommit) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.staged(commit).read_text().splitlines()]

    def added(self) -> list[str]:
        """The files that the ratified commits add, in their order."""
        actions = [action for commit in self.ratified() for action in self.actions(commit)]
        return [action["add"]["path"] for action in actions if "add" in action]
