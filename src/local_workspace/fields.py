"""What a dataclass says about its fields: the SDK's types and the types of bundle files are read by it."""

from __future__ import annotations

import functools
import types
import typing
from dataclasses import MISSING, fields
from typing import Any


@functools.cache
def hints(dataclass: Any) -> dict[str, Any]:
    """The fields' types by their names."""
    all_hints = typing.get_type_hints(dataclass)
    return {field.name: all_hints[field.name] for field in fields(dataclass)}


@functools.cache
def required(dataclass: Any) -> tuple[str, ...]:
    """The names of the fields without a default."""
    return tuple(
        field.name
        for field in fields(dataclass)
        if field.default is MISSING and field.default_factory is MISSING
    )


def without_none(wanted: Any) -> Any:
    """`X` for `X | None`."""
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        (wanted,) = (part for part in typing.get_args(wanted) if part is not type(None))
    return wanted
