"""A new catalog-managed Delta table: it appears at once, with its version 0, or not at all.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk.errors import NotFound, ResourceAlreadyExists
from pyspark.errors import PySparkException

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context, dotted, folder_of
from local_workspace.runtime.commands.delta_log import Action
from local_workspace.runtime.commands.scratch_table import with_features
from local_workspace.runtime.commands.table_commit import Change, shown
from local_workspace.sql.conditions import no_such_schema
from local_workspace.sql.cursor import Name
from local_workspace.sql.errors import SqlError

_READER_FEATURES = ["catalogManaged", "vacuumProtocolCheck"]
_PROTOCOL = {
    "minReaderVersion": 3,
    "minWriterVersion": 7,
    "readerFeatures": _READER_FEATURES,
    "writerFeatures": ["appendOnly", "invariants", "inCommitTimestamp", *_READER_FEATURES],
}


@dataclass(frozen=True)
class NewTable:
    """Storage that the catalog keeps for the table, which is not there yet."""

    context: Context
    name: Name
    staged: dict[str, Any]

    @property
    def folder(self) -> Path:
        return folder_of({"storage_location": self.staged["staging_location"]})

    @property
    def properties(self) -> dict[str, str]:
        """Those that make it one of the catalog's."""
        return {
            "delta.feature.catalogManaged": "supported",
            "delta.enableInCommitTimestamps": "true",
            "io.unitycatalog.tableId": self.staged["id"],
        }

    def protocol(self, other: Action | None = None) -> Action:
        """The protocol of such tables, with the features of the other one."""
        return with_features(_PROTOCOL, other or {}) or _PROTOCOL

    def create(self, change: Change) -> bool:
        """Make the change its version 0; False where a table of this name is there meanwhile."""
        assert change.metadata is not None
        metadata = shown(change.metadata)
        actions = change.actions(time.time_ns() // 1_000_000)
        log = self.folder / "_delta_log"
        shutil.rmtree(log, ignore_errors=True)
        (log / "_staged_commits").mkdir(parents=True)
        (log / f"{0:020}.json").write_text("".join(f"{json.dumps(one)}\n" for one in actions))
        parent = dict(zip(("catalog_name", "schema_name", "name"), self.name, strict=True))
        values = {
            "table_type": "MANAGED",
            "data_source_format": "DELTA",
            "storage_location": self.staged["staging_location"],
            "columns": metadata["schema"]["columns"],
            "properties": change.metadata["configuration"],
            "comment": metadata["description"],
        }
        try:
            self.context.call("POST", f"{UNITY_CATALOG}/tables", **parent, **values)
        except ResourceAlreadyExists:
            shutil.rmtree(self.folder)
            return False
        return True


@contextlib.contextmanager
def new_table(context: Context, name: Name) -> Iterator[NewTable]:
    """Storage for a table; what an error leaves in it is removed, what a kill leaves when the workspace starts."""
    parent = dict(zip(("catalog_name", "schema_name", "name"), name, strict=True))
    try:
        staged = context.call("POST", f"{UNITY_CATALOG}/staging-tables", **parent)
    except NotFound:
        raise no_such_schema(dotted(name[:2])) from None
    table = NewTable(context, name, staged)
    try:
        yield table
    except (SqlError, PySparkException):
        # Neither comes from the catalog, so the table is not there.
        shutil.rmtree(table.folder, ignore_errors=True)
        raise
