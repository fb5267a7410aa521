"""Query results, and their values as Databricks' JSON_ARRAY format has them: text, and null for NULL.

https://docs.databricks.com/api/workspace/statementexecution
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

Text = str | None

_TYPE_NAMES = {"INTEGER": "INT", "VOID": "NULL", "DAYTIMEINTERVAL": "INTERVAL"}
_SMALLEST_PLAIN, _SMALLEST_SCIENTIFIC = 1e-3, 1e7
"""Between the two, Java writes a floating-point number without an exponent."""


@dataclass(frozen=True)
class ResultSet:
    """`columns` are (name, type_text, type_name), for example ("year", "BIGINT", "LONG")."""

    columns: list[tuple[str, str, str]]
    table: pa.Table
    truncated: bool = False

    @cached_property
    def rows(self) -> list[list[Text]]:
        return text_rows(self.table)


def no_result() -> ResultSet:
    """What a command answers with."""
    return ResultSet([], pa.table({}))


def fetch(frame: DataFrame, limit: int | None) -> ResultSet:
    """The first `limit` rows, or all."""
    columns = [(f.name, type_text(f.dataType), type_name(f.dataType)) for f in frame.schema.fields]
    if not columns:
        return no_result()
    table = (frame if limit is None else frame.limit(limit + 1)).toArrow()
    kept = table if limit is None else table.slice(0, limit)
    return ResultSet(columns, kept, kept.num_rows < table.num_rows)


def type_text(data_type: DataType) -> str:
    """As SQL writes the type: `DECIMAL(10,2)`, `STRUCT<x: INT>`."""
    if isinstance(data_type, StructType):
        return f"STRUCT<{', '.join(f'{f.name}: {type_text(f.dataType)}' for f in data_type)}>"
    if isinstance(data_type, ArrayType):
        return f"ARRAY<{type_text(data_type.elementType)}>"
    if isinstance(data_type, MapType):
        return f"MAP<{type_text(data_type.keyType)}, {type_text(data_type.valueType)}>"
    return data_type.simpleString().upper()


def type_name(data_type: DataType) -> str:
    """The API's name of the type, a `ColumnInfoTypeName`."""
    name = data_type.typeName().upper()
    return _TYPE_NAMES.get(name, name)


def text_rows(table: pa.Table) -> list[list[Text]]:
    """The rows of `table`, every value as text."""
    columns = [
        [None if value is None else convert(value) for value in column.to_pylist()]
        for column, convert in ((c, _converter(c.type)) for c in table.columns)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _converter(kind: pa.DataType) -> Callable[[Any], str]:
    if pa.types.is_nested(kind):
        return lambda value: json.dumps(_nested(value, kind), ensure_ascii=False)
    if pa.types.is_boolean(kind):
        return lambda value: "true" if value else "false"
    if pa.types.is_float32(kind):
        return lambda value: _floating(str(np.float32(value)))
    if pa.types.is_floating(kind):
        return lambda value: _floating(repr(value))
    if pa.types.is_decimal(kind):
        return lambda value: format(value, "f")
    if pa.types.is_timestamp(kind):
        return _timestamp
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return lambda value: base64.b64encode(value).decode()
    return str


def _nested(value: Any, kind: pa.DataType) -> Any:
    """The value as JSON has it: numbers, booleans and null stay what they are."""
    if value is None or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return value
    if pa.types.is_struct(kind):
        return {field.name: _nested(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        key = _converter(kind.key_type)
        return {key(name): _nested(item, kind.item_type) for name, item in value}
    if pa.types.is_nested(kind):
        return [_nested(item, kind.value_type) for item in value]
    if pa.types.is_floating(kind) and math.isfinite(value):
        return value
    return _converter(kind)(value)


def _floating(digits: str) -> str:
    """The number as Java and Spark write it: `0.1`, `1.0E-5`, `1.2345678E7`, `NaN`, `-Infinity`."""
    value = float(digits)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    number = Decimal(digits)
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _SMALLEST_SCIENTIFIC:
        text = format(number, "f")
        return text if "." in text else f"{text}.0"
    sign, mantissa, _ = number.normalize().as_tuple()
    first, *rest = map(str, mantissa)
    return f"{'-' if sign else ''}{first}.{''.join(rest) or '0'}E{number.adjusted()}"


def _timestamp(value: datetime) -> str:
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    if value.tzinfo is None:
        return value.isoformat(timespec=precision)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
