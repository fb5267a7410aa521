"""The rows of the files that a COPY INTO loads, as a DataFrame whose columns are matched by name.

Spark's engine here takes the files of one read to be alike, and globs in their names: so they are read
through links with plain names, CSV files with the same header together, and the number of a link's
folder, a partition column, tells which file a row is from.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DoubleType,
    IntegralType,
    LongType,
    NullType,
    NumericType,
    StringType,
    StructField,
    StructType,
)

from local_workspace.reason import reason
from local_workspace.runtime.commands.context import Context, VolumePath
from local_workspace.sql.copy_into import METADATA, CopyInto
from local_workspace.sql.errors import error

FILE = "__copy_into_file"
_FILE_FIELD = StructField(FILE, StringType())
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_ALL_RECORDS = {"schemaInferMaxRecords": str(2**62)}
"""The engine takes the first 1000 to know the columns; Spark takes all."""


def read(context: Context, copy: CopyInto, files: Sequence[VolumePath], folder: Path) -> DataFrame:
    """The rows of `files`; `folder` holds the links, and must be there until the rows are read."""
    reader = _Reader(context, copy, folder)
    schemas = reader.schemas(files)
    types = _merged_fields(schemas)
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for number, schema in enumerate(schemas):
        # Without columns a file has no rows.
        if schema.names:
            names = schema.names if copy.file_format == "CSV" else list(types)
            groups.setdefault((_compression(files[number]), tuple(names)), []).append(number)
    if not groups:
        return context.session.createDataFrame([], StructType([]))
    parts = [reader.rows(names, types, files, numbers) for (_, names), numbers in groups.items()]
    rows = functools.reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), parts)
    return _with_metadata(context, copy, rows, files)


class _Reader:
    """Reads files of one format."""

    def __init__(self, context: Context, copy: CopyInto, folder: Path) -> None:
        self._folder = folder
        self._format = copy.file_format.lower()
        self._spark = context.session
        self._options = {**_ALL_RECORDS, **copy.reader_options}

    def schemas(self, files: Sequence[VolumePath]) -> list[StructType]:
        """The columns of each file; one that has no value in it has no type where others have one."""
        found = [self._schema(file) for file in files]
        contested = _contested(found)
        return [
            self._without_types(file, schema, contested.intersection(schema.names))
            for file, schema in zip(files, found, strict=True)
        ]

    def _schema(self, file: VolumePath) -> StructType:
        link = self._link("one", 0, file)
        try:
            schema = self._load(link.parent.parent).schema
        except PySparkException as failed:
            raise _unreadable(file, failed) from failed
        finally:
            link.unlink()
        return StructType([field for field in schema if field.name != FILE])

    def _without_types(
        self, file: VolumePath, schema: StructType, names: Collection[str]
    ) -> StructType:
        """The engine takes a column of a CSV file without values for text, Spark for nothing."""
        texts = [name for name in names if schema[name].dataType == StringType()]
        if self._format != "csv" or not texts:
            return schema
        link = self._link("one", 0, file)
        frame = self._load(link.parent.parent, StructType([*schema, _FILE_FIELD]))
        counts = frame.agg(*[F.count(frame[name]) for name in texts]).collect()[0]
        link.unlink()
        empty = {name for name, count in zip(texts, counts, strict=True) if not count}
        return StructType(
            [StructField(f.name, NullType()) if f.name in empty else f for f in schema]
        )

    def rows(
        self,
        names: Sequence[str],
        types: Mapping[str, DataType],
        files: Sequence[VolumePath],
        numbers: Sequence[int],
    ) -> DataFrame:
        """The rows of the files with these numbers, which have the columns `names`."""
        group = f"group-{numbers[0]}"
        for number in numbers:
            self._link(group, number, files[number])
        fields = [StructField(name, types[name]) for name in names]
        return self._load(self._folder / group, StructType([*fields, _FILE_FIELD]))

    def _link(self, group: str, number: int, file: VolumePath) -> Path:
        folder = self._folder / group / f"{FILE}={number}"
        link = folder / f"data.{self._format}{_compression(file)}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.local)
        return link

    def _load(self, folder: Path, schema: StructType | None = None) -> DataFrame:
        reader = self._spark.read.format(self._format).options(**self._options)
        return (reader if schema is None else reader.schema(schema)).load(str(folder))


def _compression(file: VolumePath) -> str:
    """The suffix that tells the engine how a file is compressed; it wants all of a read alike."""
    return file.local.suffix if file.local.suffix in _COMPRESSED else ""


def _with_metadata(
    context: Context, copy: CopyInto, rows: DataFrame, files: Sequence[VolumePath]
) -> DataFrame:
    """With the hidden column `_metadata` where the statement reads it, without the file's number.

    https://docs.databricks.com/ingestion/file-metadata-column
    """
    if copy.select is None or not copy.select.reads_metadata or METADATA in rows.columns:
        return rows.drop(FILE)
    columns = {"file_path": "STRING", "file_name": "STRING", "file_size": "BIGINT"}
    times = {"file_block_start": "BIGINT", "file_block_length": "BIGINT"}
    columns |= {**times, "file_modification_time": "TIMESTAMP"}
    described = context.frame(
        [(FILE, "STRING"), *columns.items()],
        [(str(number), *_described(file)) for number, file in enumerate(files)],
    )
    joined = rows.join(described, FILE).withColumn(METADATA, F.struct(*columns))
    return joined.drop(FILE, *columns)


def _described(file: VolumePath) -> tuple[str, str, int, int, int, datetime]:
    status = file.local.stat()
    size, modified = status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)
    return f"dbfs:{file.path}", file.local.name, size, 0, size, modified


def _contested(schemas: Sequence[StructType]) -> set[str]:
    """Columns that are text in some files and something else in others."""
    texts, others = set[str](), set[str]()
    for field in (field for schema in schemas for field in schema):
        (texts if field.dataType == StringType() else others).add(field.name)
    return texts & others


def _merged_fields(schemas: Sequence[StructType]) -> dict[str, DataType]:
    """The columns of all files; where files differ in a type, one that holds the values of both."""
    merged: dict[str, DataType] = {}
    for field in (field for schema in schemas for field in schema):
        known = merged.get(field.name)
        merged[field.name] = _merged(known, field.dataType) if known else field.dataType
    return {name: _read_as(kind) for name, kind in merged.items()}


def _merged(a: DataType, b: DataType) -> DataType:
    if a == b or isinstance(b, NullType):
        return a
    if isinstance(a, NullType):
        return b
    if isinstance(a, StructType) and isinstance(b, StructType):
        merged = _merged_fields([a, b])
        return StructType([StructField(name, kind) for name, kind in merged.items()])
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        return ArrayType(_merged(a.elementType, b.elementType))
    if isinstance(a, IntegralType) and isinstance(b, IntegralType):
        return LongType()
    both_numbers = isinstance(a, NumericType) and isinstance(b, NumericType)
    return DoubleType() if both_numbers else StringType()


def _read_as(kind: DataType) -> DataType:
    # A column that is null in all files.
    return StringType() if isinstance(kind, NullType) else kind


def _unreadable(file: VolumePath, failed: PySparkException) -> Exception:
    why = reason(str(failed)).rstrip(".")
    message = f"Error while reading file dbfs:{file.path}: {why}."
    return error("FAILED_READ_FILE.NO_HINT", message, "KD001")
