"""DESCRIBE HISTORY and DESCRIBE DETAIL.

https://docs.databricks.com/delta/history and https://docs.databricks.com/delta/table-details
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from databricks.sdk.errors import NotFound
from pyspark.sql import DataFrame

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context, dotted, folder_of
from local_workspace.runtime.commands.delta_log import DeltaLog, committed_at, latest_in
from local_workspace.settings import USER_ID, USER_NAME
from local_workspace.sql import commands
from local_workspace.sql.conditions import no_such_table
from local_workspace.sql.cursor import Name
from local_workspace.sql.errors import error
from local_workspace.store.copies import marked_copy

_MAP = "MAP<STRING, STRING>"
_JOB = (
    "STRUCT<jobId: STRING, jobName: STRING, jobRunId: STRING, runId: STRING, jobOwnerId: STRING, "
    "triggerType: STRING>"
)

HISTORY = [
    ("version", "BIGINT"),
    ("timestamp", "TIMESTAMP"),
    ("userId", "STRING"),
    ("userName", "STRING"),
    ("operation", "STRING"),
    ("operationParameters", _MAP),
    ("job", _JOB),
    ("notebook", "STRUCT<notebookId: STRING>"),
    ("clusterId", "STRING"),
    ("readVersion", "BIGINT"),
    ("isolationLevel", "STRING"),
    ("isBlindAppend", "BOOLEAN"),
    ("operationMetrics", _MAP),
    ("userMetadata", "STRING"),
    ("engineInfo", "STRING"),
]

DETAIL = [
    ("format", "STRING"),
    ("id", "STRING"),
    ("name", "STRING"),
    ("description", "STRING"),
    ("location", "STRING"),
    ("createdAt", "TIMESTAMP"),
    ("lastModified", "TIMESTAMP"),
    ("partitionColumns", "ARRAY<STRING>"),
    ("clusteringColumns", "ARRAY<STRING>"),
    ("numFiles", "BIGINT"),
    ("sizeInBytes", "BIGINT"),
    ("properties", _MAP),
    ("minReaderVersion", "INT"),
    ("minWriterVersion", "INT"),
    ("tableFeatures", "ARRAY<STRING>"),
    ("statistics", "MAP<STRING, BIGINT>"),
]


def describe_history(context: Context, command: commands.DescribeHistory) -> DataFrame:
    log = log_of(context, find_table(context, command.table))
    versions = log.versions()[: command.limit]
    return context.frame(HISTORY, [_history_row(log, version) for version in versions])


def describe_detail(context: Context, command: commands.DescribeDetail) -> DataFrame:
    table = find_table(context, command.table)
    snapshot = log_of(context, table).replayed()
    metadata = snapshot.metadata
    row = [
        "delta",
        metadata["id"],
        ".".join(full_name(table)),
        table.get("comment"),
        table["storage_location"],
        _time(metadata["createdTime"]),
        _time(snapshot.modified),
        metadata["partitionColumns"],
        [],
        len(snapshot.files),
        snapshot.size,
        metadata["configuration"],
        snapshot.protocol["minReaderVersion"],
        snapshot.protocol["minWriterVersion"],
        snapshot.features,
        {},
    ]
    return context.frame(DETAIL, [row])


def find_table(context: Context, name: Name) -> dict[str, Any]:
    """A Delta table of the catalog; SqlError where there is none of this name."""
    try:
        table = context.object("tables", context.full_name(name, 3))
    except NotFound:
        raise no_such_table(dotted(name)) from None
    if table["data_source_format"] != "DELTA":
        message = f"{dotted(name)} is not a Delta table."
        raise error("DELTA_TABLE_ONLY_OPERATION", message, "0AKDD")
    return table


def full_name(table: dict[str, Any]) -> Name:
    return table["catalog_name"], table["schema_name"], table["name"]


def log_of(context: Context, table: dict[str, Any]) -> DeltaLog:
    """The log of a table of the catalog, up to its latest version."""
    folder = folder_of(table)
    if table["table_type"] != "MANAGED":
        return DeltaLog(folder, latest_in(folder), {})
    commits = context.call(
        "GET",
        f"{UNITY_CATALOG}/delta/preview/commits",
        table_id=table["table_id"],
        table_uri=table["storage_location"],
        start_version=0,
    )
    staged = {commit["version"]: commit["file_name"] for commit in commits["commits"]}
    # -1 stands for a table whose only version is the one that it was created with.
    return DeltaLog(folder, max(commits["latest_table_version"], 0), staged)


def _history_row(log: DeltaLog, version: int) -> list[Any]:
    actions = log.actions(version)
    infos = (action["commitInfo"] for action in actions if "commitInfo" in action)
    info: dict[str, Any] = next(infos, {})
    is_copy = marked_copy(info.get("userMetadata")) is not None
    return [
        version,
        _time(committed_at(info) if info else None),
        USER_ID,
        USER_NAME,
        "COPY INTO" if is_copy else info.get("operation"),
        _texts(info.get("operationParameters")),
        None,
        None,
        None,
        info.get("readVersion"),
        info.get("isolationLevel"),
        info.get("isBlindAppend"),
        _texts(info.get("operationMetrics")),
        None if is_copy else info.get("userMetadata"),
        info.get("engineInfo"),
    ]


def _texts(values: dict[str, Any] | None) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in (values or {}).items()
    }


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
