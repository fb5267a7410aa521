"""CREATE TABLE without columns: version 0 of a catalog-managed Delta table whose schema is empty.

The Spark engine refuses such tables, but reads them and, with mergeSchema, appends to them.
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from databricks.sdk.errors import NotFound, ResourceAlreadyExists

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context, dotted, folder_of
from local_workspace.sql.commands import CreateEmptyTable
from local_workspace.sql.conditions import no_such_schema, table_exists
from local_workspace.sql.cursor import Name

Action = dict[str, Any]

_READER_FEATURES = ["catalogManaged", "vacuumProtocolCheck"]
_WRITER_FEATURES = ["appendOnly", "invariants", "inCommitTimestamp", *_READER_FEATURES]


def create_empty_table(context: Context, command: CreateEmptyTable) -> None:
    name = context.full_name(command.table, 3)
    try:
        context.object("tables", name)
    except NotFound:
        _create(context, command, name)
    else:
        if not command.if_not_exists:
            raise table_exists(dotted(command.table))


def _create(context: Context, command: CreateEmptyTable, name: Name) -> None:
    parent = dict(zip(("catalog_name", "schema_name", "name"), name, strict=True))
    try:
        staged = context.call("POST", f"{UNITY_CATALOG}/staging-tables", **parent)
    except NotFound:
        raise no_such_schema(dotted(name[:2])) from None
    properties = {
        "delta.feature.catalogManaged": "supported",
        "delta.enableInCommitTimestamps": "true",
        "io.unitycatalog.tableId": staged["id"],
    }
    location = {"storage_location": staged["staging_location"]}
    log = folder_of(location) / "_delta_log"
    (log / "_staged_commits").mkdir(parents=True)
    actions = _first_commit(command, properties)
    (log / f"{0:020}.json").write_text("".join(f"{json.dumps(action)}\n" for action in actions))
    kind = {"table_type": "MANAGED", "data_source_format": "DELTA", "columns": []}
    values = {**parent, **location, **kind, "properties": properties, "comment": command.comment}
    try:
        context.call("POST", f"{UNITY_CATALOG}/tables", **values)
    except ResourceAlreadyExists:
        if not command.if_not_exists:
            raise table_exists(dotted(command.table)) from None


def _first_commit(command: CreateEmptyTable, properties: dict[str, str]) -> list[Action]:
    now = time.time_ns() // 1_000_000
    info = {
        "timestamp": now,
        "inCommitTimestamp": now,
        "operation": "CREATE TABLE",
        "operationParameters": {},
        "isBlindAppend": True,
        "engineInfo": "local-workspace",
        "txnId": str(uuid.uuid4()),
    }
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": _READER_FEATURES,
        "writerFeatures": _WRITER_FEATURES,
    }
    metadata: Action = {
        "id": str(uuid.uuid4()),
        "description": command.comment,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": []}),
        "partitionColumns": [],
        "configuration": properties,
        "createdTime": now,
    }
    return [{"commitInfo": info}, {"protocol": protocol}, {"metaData": metadata}]
