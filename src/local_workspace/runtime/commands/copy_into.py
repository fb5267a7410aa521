"""COPY INTO: loads the files that the table has not loaded yet, in one commit.

The workspace's ledger (`store.copies`) ties the files to that commit, so each is loaded once.
https://docs.databricks.com/sql/language-manual/delta-copy-into
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from local_workspace.runtime.commands.announced_copy import AnnouncedCopy
from local_workspace.runtime.commands.context import Context, VolumePath, dotted
from local_workspace.runtime.commands.copied_rows import copied_rows
from local_workspace.runtime.commands.source_files import source_files
from local_workspace.runtime.commands.tables import find_table, full_name
from local_workspace.sql.copy_into import CopyInto
from local_workspace.sql.cursor import Name
from local_workspace.sql.errors import SqlError, error, unsupported

PREVIEW_ROWS = 50
"""Shown of what VALIDATE has checked."""
RESULT = [
    ("num_affected_rows", "BIGINT"),
    ("num_inserted_rows", "BIGINT"),
    ("num_skipped_corrupt_files", "BIGINT"),
]


class _CopyConflict(Exception):
    """Another COPY INTO was first with some of the files."""


def copy_into(context: Context, copy: CopyInto) -> DataFrame:
    """The number of rows that were loaded, or a preview of those that VALIDATE has checked."""
    table = _target(context, copy.table)
    files = source_files(context, copy)
    if copy.validate is not None:
        return _validate(context, copy, table, files)
    while True:
        try:
            loaded = _load(context, copy, table, files)
        except _CopyConflict:
            continue
        return context.frame(RESULT, [(loaded, loaded, 0)])


def _load(
    context: Context, copy: CopyInto, table: dict[str, Any], files: Sequence[VolumePath]
) -> int:
    announced = AnnouncedCopy(context, table["table_id"], files, forced=copy.force)
    try:
        if announced.files:
            _append(context, copy, table, announced)
    except PySparkException:
        # The commit may have been ratified although the engine was not told so.
        if (loaded := announced.withdraw()) is not None:
            return loaded
        if _new_files(context, copy, table, files) != announced.files:
            raise _CopyConflict from None
        raise
    except BaseException:
        announced.withdraw()
        raise
    return announced.finish()


def _append(
    context: Context, copy: CopyInto, table: dict[str, Any], announced: AnnouncedCopy
) -> None:
    with copied_rows(context, copy, table, announced.files) as rows:
        writer = rows.write.format("delta").mode("append")
        writer = writer.option("mergeSchema", copy.merge_schema)
        writer.option("userMetadata", announced.marker).saveAsTable(dotted(full_name(table)))


def _new_files(
    context: Context, copy: CopyInto, table: dict[str, Any], files: Sequence[VolumePath]
) -> list[VolumePath]:
    """Those that a COPY INTO would load now."""
    announced = AnnouncedCopy(context, table["table_id"], files, forced=copy.force)
    announced.withdraw()
    return announced.files


def _validate(
    context: Context, copy: CopyInto, table: dict[str, Any], files: Sequence[VolumePath]
) -> DataFrame:
    """The first rows of what would be loaded, once all or the wanted number have been read."""
    chosen = _new_files(context, copy, table, files)
    if not chosen:
        target = context.session.table(dotted(full_name(table)))
        return context.session.createDataFrame([], target.schema)
    with copied_rows(context, copy, table, chosen) as rows:
        if isinstance(copy.validate, int):
            rows = rows.limit(copy.validate)
        # Every value is read and cast, which a count of the rows alone would not do.
        nulls = rows.agg(*[F.count(F.when(rows[name].isNull(), 1)) for name in rows.columns])
        counts = nulls.collect()[0]
        _require_not_null(context, table, dict(zip(rows.columns, counts, strict=True)))
        preview = rows.limit(PREVIEW_ROWS).toArrow()
        return context.session.createDataFrame(preview, rows.schema)


def _require_not_null(context: Context, table: dict[str, Any], nulls: dict[str, int]) -> None:
    for field in context.session.table(dotted(full_name(table))).schema:
        if not field.nullable and nulls[field.name]:
            message = f"NOT NULL constraint violated for column: {field.name}."
            raise error("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", message, "23502")


def _target(context: Context, name: Name) -> dict[str, Any]:
    try:
        table = find_table(context, name)
    except SqlError as missing:
        if missing.sql_state != "42P01":
            raise
        message = f"Table doesn't exist. Create an empty Delta table first using CREATE TABLE {dotted(name)}."
        raise error("DELTA_MISSING_DELTA_TABLE_COPY_INTO", message, "42P01") from missing
    if table["table_type"] != "MANAGED":
        raise unsupported(
            f"COPY INTO the external table {dotted(name)}, whose commits its catalog does not ratify",
            "use a managed table",
        )
    return table
