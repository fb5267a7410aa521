"""JSON made to fit the API's types, which are the Databricks SDK's dataclasses.

Numbers and booleans may come as text (Airflow sends them so) and scalars where text is wanted; null means absent.
Fields that the type does not have stay as they are: nobody reads them.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from databricks.sdk.service.jobs import GitProvider, PerformanceTarget

from local_workspace.errors import InvalidParameterValue, MalformedRequest
from local_workspace.fields import hints, required, without_none

_OPEN_CHOICES = (GitProvider, PerformanceTarget)
"""Any case is fine for a provider, and Databricks drops performance targets that it does not know."""
INT64 = range(-(2**63), 2**63)


def conform(value: Any, wanted: Any, field: str) -> Any:
    """`value` as the type `wanted`; `field` is its path, for messages.

    Raises MalformedRequest for JSON of another kind, InvalidParameterValue for a bad or missing value.
    """
    wanted = without_none(wanted)
    if is_dataclass(wanted):
        return _conform_fields(value, wanted, field)
    match typing.get_origin(wanted), typing.get_args(wanted):
        case origin, (item,) if origin is list:
            if not isinstance(value, list):
                raise wrong_kind(field, "array", value)
            return [conform(element, item, field) for element in value]
        case origin, (_, item) if origin is dict:
            if not isinstance(value, dict):
                raise wrong_kind(field, "object", value)
            return {
                name: conform(element, item, f"{field}.{name}")
                for name, element in value.items()
                if element is not None
            }
    if isinstance(wanted, type) and issubclass(wanted, Enum) and wanted not in _OPEN_CHOICES:
        return _choice(value, wanted, field)
    return _SCALARS[wanted](value, field) if wanted in _SCALARS else value


def wrong_kind(field: str, expected: str, value: Any) -> MalformedRequest:
    """Databricks' own words for JSON of the wrong kind."""
    kinds = {str: "STRING", dict: "OBJECT", list: "ARRAY", bool: "BOOLEAN", type(None): "NULL"}
    found = kinds.get(type(value), "NUMBER")
    return MalformedRequest(
        f"Could not parse request object: Expected {expected} for field '{field}', found {found}"
    )


def integer(value: Any, field: str) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError):
        raise InvalidParameterValue(f"{field} must be an integer, got {value!r:.100}.") from None
    if number not in INT64:
        raise InvalidParameterValue(f"{field} is out of range: {number}.")
    return number


def boolean(value: Any, field: str) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise InvalidParameterValue(f"{field} must be true or false, got {value!r:.100}.")
    return value


def text(value: Any, field: str) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        raise wrong_kind(field, "string", value)
    return json.dumps(value)


def real(value: Any, field: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidParameterValue(f"{field} must be a number, got {value!r:.100}.") from None


_SCALARS: dict[Any, Callable[[Any, str], Any]] = {
    str: text,
    int: integer,
    bool: boolean,
    float: real,
}


def _choice(value: Any, wanted: type[Enum], field: str) -> str:
    values = [member.value for member in wanted]
    if text(value, field) not in values:
        raise InvalidParameterValue(
            f"{field} has the unknown value {value!r:.100}; use one of {', '.join(values)}."
        )
    return str(value)


def _conform_fields(value: Any, wanted: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong_kind(field, "object", value)
    known, prefix = hints(wanted), f"{field}." if field else ""
    for name in required(wanted):
        if value.get(name) is None:
            raise InvalidParameterValue(f"Missing required field: {prefix}{name}")
    return {
        name: conform(element, known.get(name, Any), f"{prefix}{name}")
        for name, element in value.items()
        if element is not None
    }
