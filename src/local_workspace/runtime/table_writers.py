"""DataFrames that overwrite tables, in a task: `mode("overwrite").saveAsTable(t)` and `writeTo(t).createOrReplace()`.

The engine refuses both, so they are done as CREATE OR REPLACE TABLE is, and tables that `saveAsTable` creates as
CREATE TABLE AS is. Nothing else of pyspark's writers changes.
https://docs.databricks.com/delta/selective-overwrite and https://docs.databricks.com/delta/update-schema
"""

from __future__ import annotations

from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.connect.dataframe import DataFrame as ConnectDataFrame
from pyspark.sql.connect.readwriter import DataFrameWriter, DataFrameWriterV2

from local_workspace.runtime.commands.alter_table import require_own
from local_workspace.runtime.commands.context import Context, dotted
from local_workspace.runtime.commands.replace_table import Replacement, create_rows, replace_rows
from local_workspace.runtime.commands.tables import find_table
from local_workspace.sql.conditions import table_exists
from local_workspace.sql.cursor import Cursor, Name

_save_as_table = DataFrameWriter.saveAsTable
_create_or_replace = DataFrameWriterV2.createOrReplace
_replace = DataFrameWriterV2.replace
_ENGINES = ("replacewhere", "partitionoverwritemode")
"""Options that overwrite a part of a table: the engine says what it has of them."""


def install() -> None:
    """From now on in this process."""
    setattr(DataFrameWriter, "saveAsTable", save_as_table)  # noqa: B010 (mypy knows the types)
    setattr(DataFrameWriterV2, "createOrReplace", create_or_replace)  # noqa: B010
    setattr(DataFrameWriterV2, "replace", replace)  # noqa: B010


def save_as_table(
    writer: DataFrameWriter,
    name: str,
    format: str | None = None,
    mode: str | None = None,
    partitionBy: str | list[str] | None = None,  # noqa: N803 (pyspark's name)
    **options: Any,
) -> None:
    writer.mode(mode).options(**options)
    if partitionBy is not None:
        writer.partitionBy(partitionBy)
    if format is not None:
        writer.format(format)
    plan = writer._write
    given = {key.lower(): value for key, value in plan.options.items()}
    is_delta = (plan.source or "delta").lower() == "delta"
    is_plain = is_delta and not (plan.num_buckets > 0 or plan.clustering_cols)
    if is_plain and not writer._spark.catalog.tableExists(name):
        _create(Replacement(_frame(writer), None, tuple(plan.partitioning_cols)), name)
    elif plan.mode != "overwrite" or not is_delta or any(key in given for key in _ENGINES):
        _save_as_table(writer, name)
    elif str(given.get("overwriteschema", "")).lower() == "true":
        partitions = tuple(plan.partitioning_cols)
        _replace_schema(Replacement(_frame(writer), None, partitions, keeps_properties=True), name)
    else:
        _overwrite(_frame(writer), name)


def create_or_replace(writer: DataFrameWriterV2) -> None:
    if not writer._spark.catalog.tableExists(writer._table_name):
        writer.create()
    elif not _replaced(writer):
        _create_or_replace(writer)


def replace(writer: DataFrameWriterV2) -> None:
    if not _replaced(writer):
        _replace(writer)


def _replaced(writer: DataFrameWriterV2) -> bool:
    """Whether it has been done here: not for partitions, other formats and tables that are not there."""
    plan, name = writer._write, writer._table_name
    is_delta = (plan.provider or "delta").lower() == "delta"
    if plan.partitioning_columns or not is_delta or not writer._spark.catalog.tableExists(name):
        return False
    properties = {key: value or "" for key, value in plan.table_properties.items()}
    _replace_schema(Replacement(_frame(writer), properties=properties), name)
    return True


def _frame(writer: DataFrameWriter | DataFrameWriterV2) -> DataFrame:
    frame: Any = ConnectDataFrame(writer._df, writer._spark)
    rows: DataFrame = frame
    return rows


def _create(rows: Replacement, name: str) -> None:
    context = Context(rows.frame.sparkSession)
    if not create_rows(context, context.full_name(_parts(name), 3), rows):
        raise table_exists(name)


def _replace_schema(replacement: Replacement, name: str) -> None:
    require_own(replacement.properties)
    context = Context(replacement.frame.sparkSession)
    replace_rows(context, find_table(context, _parts(name)), replacement)


def _overwrite(frame: DataFrame, name: str) -> None:
    context = Context(frame.sparkSession)
    full_name = dotted(context.full_name(_parts(name), 3))
    fitting = _fitting(frame, context.session.table(full_name))
    fitting.write.insertInto(full_name, overwrite=True)


def _fitting(frame: DataFrame, target: DataFrame) -> DataFrame:
    """The rows in the table's columns: those that the frame lacks are NULL; AnalysisException for others."""
    given = {column.lower(): column for column in frame.columns}
    known = {column.lower() for column in target.columns}
    if others := [column for key, column in given.items() if key not in known]:
        raise AnalysisException(
            "A schema mismatch detected when writing to the Delta table: it has no column "
            f"{', '.join(others)}. To overwrite your schema or change partitioning, please set: "
            '\'.option("overwriteSchema", "true")\'.'
        )
    return frame.select(
        *(
            F.col(f"`{given[column.lower()]}`").alias(column)
            if column.lower() in given
            else F.lit(None).cast(target.schema[column].dataType).alias(column)
            for column in target.columns
        )
    )


def _parts(name: str) -> Name:
    return Cursor(name).name(3)
