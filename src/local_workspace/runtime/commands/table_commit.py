"""Commits of the local workspace's own to a Delta table whose commits the catalog ratifies.

As the engine's they are staged, ratified and published; of all writers of a version one wins.
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databricks.sdk.errors.base import DatabricksError
from pyspark.sql.types import DecimalType, StructType

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context, dotted, folder_of
from local_workspace.runtime.commands.delta_log import Action, Snapshot
from local_workspace.runtime.commands.tables import full_name, log_of
from local_workspace.runtime.result_set import type_name, type_text
from local_workspace.sql.errors import unsupported
from local_workspace.sql.identifiers import quote

COMMITS = f"{UNITY_CATALOG}/delta/preview/commits"

_UNREADABLE = re.compile(r"decimal\(|\bvariant\b(?!:)|\binterval (year|month|day|hour)")
"""Types in which the engine finds a table of the catalog unreadable; a column itself may be decimal."""
_OF_REMOVED = ("path", "partitionValues", "size", "deletionVector")


@dataclass(frozen=True)
class Change:
    """What a commit does; `metadata` is the table's new one, None where it stays."""

    operation: str
    parameters: Mapping[str, Any]
    metadata: Action | None = None
    protocol: Action | None = None
    files: Sequence[Action] = ()
    metrics: Mapping[str, int] = field(default_factory=dict)

    def actions(self, now: int) -> list[Action]:
        info = {
            "inCommitTimestamp": now,
            "timestamp": now,
            "operation": self.operation,
            "operationParameters": dict(self.parameters),
            "isBlindAppend": False,
            "operationMetrics": {name: str(value) for name, value in self.metrics.items()},
            "engineInfo": "local-workspace",
            "txnId": str(uuid.uuid4()),
        }
        protocol = [] if self.protocol is None else [{"protocol": self.protocol}]
        metadata = [] if self.metadata is None else [{"metaData": self.metadata}]
        return [{"commitInfo": info}, *protocol, *metadata, *self.files]


class CommitConflict(Exception):
    """Another writer was first with the version."""


def require_managed(table: dict[str, Any], what: str) -> None:
    """SqlError for a table whose commits the catalog does not ratify."""
    if table["table_type"] != "MANAGED":
        name = dotted(full_name(table))
        raise unsupported(f"{what} of the external table {name}", "use a managed table")


def amend(context: Context, table: dict[str, Any], change_of: Callable[[Snapshot], Change]) -> None:
    """Commit what `change_of` makes of the latest version; again where another writer was first."""
    require_managed(table, "a change")
    while True:
        log = log_of(context, table)
        snapshot = log.replayed()
        try:
            commit(context, table, change_of(snapshot), log.latest + 1, after=snapshot.modified)
        except CommitConflict:
            continue
        return


def commit(
    context: Context, table: dict[str, Any], change: Change, version: int, *, after: int
) -> None:
    """Make the change the version; CommitConflict where it is there already."""
    metadata = None if change.metadata is None else shown(change.metadata)
    now = max(time.time_ns() // 1_000_000, after + 1)
    log = folder_of(table) / "_delta_log"
    staged = log / "_staged_commits" / f"{version:020}.{uuid.uuid4()}.json"
    # The engine makes the folder with its first commit.
    staged.parent.mkdir(exist_ok=True)
    staged.write_text("".join(f"{json.dumps(action)}\n" for action in change.actions(now)))
    _ratify(context, table, _commit_info(version, staged, now), staged, metadata)
    # Readers find it without this too; another writer may have been so kind.
    with contextlib.suppress(FileExistsError):
        os.link(staged, log / f"{version:020}.json")


def added(file: Action) -> Action:
    return {"add": {**file, "dataChange": True}}


def removed(file: Action) -> Action:
    kept = {name: file[name] for name in _OF_REMOVED if name in file}
    deleted = {"deletionTimestamp": time.time_ns() // 1_000_000, "extendedFileMetadata": True}
    return {"remove": {**kept, **deleted, "dataChange": True}}


def _commit_info(version: int, staged: Path, now: int) -> dict[str, Any]:
    status = staged.stat()
    return {
        "version": version,
        "timestamp": now,
        "file_name": staged.name,
        "file_size": status.st_size,
        "file_modification_timestamp": status.st_mtime_ns // 1_000_000,
    }


def _ratify(
    context: Context,
    table: dict[str, Any],
    info: dict[str, Any],
    staged: Path,
    metadata: dict[str, Any] | None,
) -> None:
    key = {"table_id": table["table_id"], "table_uri": table["storage_location"]}
    changes = {} if metadata is None else {"metadata": metadata}
    try:
        context.call("POST", COMMITS, **key, commit_info=info, **changes)
    except DatabricksError:
        # The answer may have been lost, and the client may have asked again.
        span = {"start_version": info["version"], "end_version": info["version"]}
        found = context.call("GET", COMMITS, **key, **span)
        ratified = [commit["file_name"] for commit in found["commits"]]
        if staged.name in ratified:
            return
        staged.unlink()
        if ratified:
            raise CommitConflict from None
        raise


def shown(metadata: Action) -> dict[str, Any]:
    """What the catalog shows of the table from now on."""
    schema = json.loads(metadata["schemaString"])
    columns = [_column(position, field) for position, field in enumerate(schema["fields"])]
    for index, name in enumerate(metadata["partitionColumns"]):
        next(column for column in columns if column["name"].lower() == name.lower())[
            "partition_index"
        ] = index
    return {
        "description": metadata.get("description"),
        "schema": {"columns": columns},
        "properties": {"properties": metadata["configuration"]},
    }


def _column(position: int, field: Action) -> dict[str, Any]:
    (kind,) = (column.dataType for column in StructType.fromJson({"fields": [field]}))
    column = {
        "name": field["name"],
        "position": position,
        "nullable": field["nullable"],
        "type_name": type_name(kind),
        "type_text": kind.simpleString(),
        "type_json": json.dumps(field),
    }
    if isinstance(kind, DecimalType):
        column |= {"type_precision": kind.precision, "type_scale": kind.scale}
    elif _UNREADABLE.search(kind.simpleString()):
        raise unsupported(f"the type {type_text(kind)} of {quote(field['name'])}", "use STRING")
    comment = field["metadata"].get("comment")
    return column if comment is None else {**column, "comment": comment}
