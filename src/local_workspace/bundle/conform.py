"""Making plain data fit a type, by the rules by which the Databricks CLI reads bundle files.

Text, numbers and booleans become what the type wants where nothing is lost; an unknown field is dropped with a
warning; a `${...}` stays until it has been resolved.
"""

from __future__ import annotations

import logging
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from local_workspace.bundle.errors import InvalidSetting, UnsupportedSetting
from local_workspace.bundle.interpolate import is_reference
from local_workspace.bundle.located import place
from local_workspace.bundle.scalars import text_of
from local_workspace.bundle.schema import Unsupported
from local_workspace.fields import hints, required, without_none

logger = logging.getLogger(__name__)

_TRUE = frozenset({"true", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})


def conform(value: Any, wanted: Any, key: str, file: str = "") -> Any:
    """`value` as the type `wanted`; `key` and `file` are for messages.

    Raises InvalidSetting for a value of another kind, UnsupportedSetting for what this deployer refuses.
    """
    wanted = without_none(wanted)
    where = place(value) or (f"{file}: " if file else "")
    if wanted is Unsupported:
        raise UnsupportedSetting(f"{where}{key} is not supported by the local deployer.")
    if wanted is Any or is_reference(value):
        return value
    origin = typing.get_origin(wanted)
    if is_dataclass(wanted) and isinstance(value, dict):
        return _conform_fields(value, wanted, key, file)
    if origin is dict and isinstance(value, dict):
        return _conform_entries(value, typing.get_args(wanted)[1], key, file)
    if origin is list and isinstance(value, list):
        (element,) = typing.get_args(wanted)
        return [conform(item, element, f"{key}[{index}]", file) for index, item in enumerate(value)]
    convert = _converter(wanted)
    if convert is not None and not isinstance(value, dict | list):
        converted = convert(value)
        if converted is not None:
            return converted
    raise InvalidSetting(f"{where}{key} is {value!r} where {_name(wanted)} is needed.")


def without_empty_texts(value: Any, wanted: Any) -> Any:
    """`value` without the optional fields that hold an empty text: they are not sent."""
    wanted = without_none(wanted)
    if is_dataclass(wanted) and isinstance(value, dict):
        dataclass: Any = wanted
        types_by_name, needed = hints(dataclass), required(dataclass)
        return {
            name: without_empty_texts(field, types_by_name.get(name, Any))
            for name, field in value.items()
            if field != "" or name in needed
        }
    arguments = typing.get_args(wanted)
    if isinstance(value, list) and arguments:
        return [without_empty_texts(item, arguments[0]) for item in value]
    if isinstance(value, dict) and arguments:
        return {name: without_empty_texts(item, arguments[1]) for name, item in value.items()}
    return value


def missing_fields(value: dict[str, Any], wanted: Any) -> list[str]:
    """The required fields that `value` lacks."""
    return sorted(name for name in required(wanted) if value.get(name) in (None, ""))


def _conform_fields(value: dict[str, Any], wanted: Any, key: str, file: str) -> dict[str, Any]:
    known = hints(wanted)
    conformed = {}
    for name, field in value.items():
        path = f"{key}.{name}" if key else name
        if name not in known:
            _report_unknown(wanted, path, file, known)
        elif field is not None:
            conformed[name] = conform(field, known[name], path, file)
    return conformed


def _conform_entries(value: dict[str, Any], wanted: Any, key: str, file: str) -> dict[str, Any]:
    """Entries by name; one without a value is an empty mapping where a mapping is wanted."""
    empty: Any = {} if is_dataclass(wanted) else None
    entries = {name: empty if entry is None else entry for name, entry in value.items()}
    return {
        name: entry if entry is None else conform(entry, wanted, f"{key}.{name}", file)
        for name, entry in entries.items()
    }


def _report_unknown(wanted: Any, path: str, file: str, known: dict[str, Any]) -> None:
    if getattr(wanted, "refuses_unknown", False):
        raise UnsupportedSetting(
            f"{file}: {path} is not supported by the local workspace ({', '.join(known)} are)."
        )
    logger.warning("%s: unknown field %s is ignored", file, path)


def _converter(wanted: Any) -> Callable[[Any], Any] | None:
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _to_text
    converters: dict[Any, Callable[[Any], Any]] = {
        str: _to_text,
        bool: _to_boolean,
        int: _to_integer,
        float: _to_float,
    }
    return converters.get(wanted)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else text_of(value)


def _to_boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return True if value in _TRUE else False if value in _FALSE else None


def _to_integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return _parse(int, value)


def _to_float(value: Any) -> float | None:
    return None if isinstance(value, bool) else _parse(float, value)


def _parse[T](parse: Callable[[Any], T], value: Any) -> T | None:
    try:
        return parse(value)
    except (TypeError, ValueError):
        return None


def _name(wanted: Any) -> str:
    origin = typing.get_origin(wanted)
    if is_dataclass(wanted) or origin is dict:
        return "a mapping"
    names = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    return "a list" if origin is list else names.get(wanted, "a text")
