"""What a COPY INTO appends: the rows of its files, selected, in the columns of the table."""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    NumericType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from local_workspace.runtime.commands import source_frame
from local_workspace.runtime.commands.context import Context, VolumePath, dotted, folder_of
from local_workspace.runtime.commands.tables import full_name
from local_workspace.sql.copy_into import METADATA, CopyInto
from local_workspace.sql.errors import SqlError, error
from local_workspace.sql.identifiers import quote


@contextlib.contextmanager
def copied_rows(
    context: Context, copy: CopyInto, table: dict[str, Any], files: Sequence[VolumePath]
) -> Iterator[DataFrame]:
    """The rows to append, in the columns of the table."""
    target = context.session.table(dotted(full_name(table))).schema
    # What a kill leaves behind beside the tables is removed when the workspace starts.
    with tempfile.TemporaryDirectory(prefix="copy-", dir=folder_of(table).parent) as folder:
        rows = source_frame.read(context, copy, files, Path(folder))
        if copy.by_position:
            rows = _by_position(rows, copy, table, target)
        with _selected(context, copy, rows) as selected:
            yield _as_table(context, copy, table, selected, target)


def _by_position(
    rows: DataFrame, copy: CopyInto, table: dict[str, Any], target: StructType
) -> DataFrame:
    names = copy.columns or tuple(target.names)
    if len(rows.columns) != len(names):
        message = (
            f"Cannot write to {dotted(full_name(table))}, the reason is: the files have "
            f"{len(rows.columns)} columns, {len(names)} are expected ({', '.join(names)})."
        )
        raise error("COPY_INTO_COLUMN_ARITY_MISMATCH", message, "21S01")
    kinds = {field.name.lower(): field.dataType for field in target}
    columns = zip(rows.columns, names, strict=True)
    # By position, the types are cast too.
    return rows.select(
        *[rows[old].cast(kinds.get(new.lower(), "string")).alias(new) for old, new in columns]
    )


@contextlib.contextmanager
def _selected(context: Context, copy: CopyInto, rows: DataFrame) -> Iterator[DataFrame]:
    """What the statement's SELECT makes of the rows."""
    if copy.select is None:
        yield rows
        return
    view = f"__copy_into_{uuid.uuid4().hex}"
    rows.createTempView(view)
    try:
        selected = context.session.sql(f"SELECT {copy.select.expressions} FROM {view}")
        # `_metadata` is a hidden column: `*` does not stand for it.
        yield selected.drop(METADATA) if copy.select.has_star else selected
    finally:
        context.session.catalog.dropTempView(view)


def _as_table(
    context: Context,
    copy: CopyInto,
    table: dict[str, Any],
    rows: DataFrame,
    target: StructType,
) -> DataFrame:
    """The rows with the table's columns and types, and with new columns behind them if they may come."""
    given = {field.name.lower(): field for field in rows.schema}
    known = {field.name.lower() for field in target}
    new = [field for field in rows.schema if field.name.lower() not in known]
    differing = [
        f"{field.name}: {given[field.name.lower()].dataType.simpleString()} instead of "
        f"{field.dataType.simpleString()}"
        for field in target
        if field.name.lower() in given
        and not _fits(given[field.name.lower()].dataType, field.dataType)
    ]
    added = [] if copy.merge_schema else [f"{f.name}: not in the table" for f in new]
    if differing or added:
        raise _mismatch(table, [*differing, *added])
    columns = [_column(given.get(field.name.lower()), field) for field in target]
    selected = rows.select(*columns, *[F.col(quote(field.name)) for field in new])
    return _nullable(context, selected) if new else selected


def _column(source: StructField | None, target: StructField) -> Column:
    if source is None:
        return F.lit(None).cast(target.dataType).alias(target.name)
    return F.col(quote(source.name)).cast(target.dataType).alias(target.name)


def _nullable(context: Context, rows: DataFrame) -> DataFrame:
    """A column that is added to a table has NULL in the rows that are there already."""
    fields = [StructField(field.name, field.dataType) for field in rows.schema]
    return rows.union(context.session.createDataFrame([], StructType(fields)))


def _fits(source: DataType, target: DataType) -> bool:
    """Whether values of one type are stored in the other; one that does not fit stops the statement."""
    if isinstance(source, StructType) and isinstance(target, StructType):
        kinds = {field.name.lower(): field.dataType for field in target}
        return all(
            f.name.lower() in kinds and _fits(f.dataType, kinds[f.name.lower()]) for f in source
        )
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        return _fits(source.elementType, target.elementType)
    if isinstance(source, NumericType):
        return isinstance(target, NumericType)
    if isinstance(source, (DateType, TimestampNTZType)):
        return source == target or isinstance(target, (TimestampType, TimestampNTZType))
    return source == target or source.typeName() == "void"


def _mismatch(table: dict[str, Any], differences: Sequence[str]) -> SqlError:
    message = (
        "A schema mismatch was detected while copying into the Delta table "
        f"(Table: {dotted(full_name(table))}). This may indicate an issue with the incoming data, or "
        "the Delta table schema can be evolved automatically according to the incoming data by setting: "
        f"COPY_OPTIONS ('mergeSchema' = 'true'). Schema difference: {'; '.join(differences)}."
    )
    return error("COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE", message, "42KDG")
