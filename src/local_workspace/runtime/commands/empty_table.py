"""CREATE TABLE without columns: version 0 of a catalog-managed Delta table whose schema is empty.

The Spark engine refuses such tables, but reads them and, with mergeSchema, appends to them.
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables
"""

from __future__ import annotations

import json
import time
import uuid

from databricks.sdk.errors import NotFound

from local_workspace.runtime.commands.context import Context, dotted
from local_workspace.runtime.commands.delta_log import Action
from local_workspace.runtime.commands.new_table import new_table
from local_workspace.runtime.commands.table_commit import Change
from local_workspace.sql.commands import CreateEmptyTable
from local_workspace.sql.conditions import table_exists
from local_workspace.sql.cursor import Name


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
    with new_table(context, name) as table:
        metadata: Action = {
            "id": str(uuid.uuid4()),
            "description": command.comment,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": []}),
            "partitionColumns": [],
            "configuration": table.properties,
            "createdTime": time.time_ns() // 1_000_000,
        }
        change = Change("CREATE TABLE", {}, metadata, table.protocol())
        if not table.create(change) and not command.if_not_exists:
            raise table_exists(dotted(command.table))
