"""Unity Catalog's names: quoted or not and in any case, they mean one object.

Rules: https://docs.databricks.com/sql/language-manual/sql-ref-names (at most 255 characters; no
period, space, slash or control character; stored lower-cased). Sail puts a name that is not a plain
identifier in back-quotes.
"""

from __future__ import annotations

import re

from local_workspace.errors import InvalidParameterValue

LEVELS = ("catalog", "schema", "object")
MAX_BYTES = 255
"""Counted in bytes of UTF-8, because a volume's name is a folder's name."""

_PART = re.compile(r"`(?:[^`]|``)+`|[^.`]+")
_FORBIDDEN = re.compile(r"[\x00-\x20./`\x7f]")


def unquote(name: str) -> str:
    """One name as it is stored: without back-quotes, lower-cased."""
    if len(name) > 2 and name.startswith("`") and name.endswith("`"):
        name = name[1:-1].replace("``", "`")
    return name.lower()


def split(full_name: str, levels: int) -> tuple[str, ...]:
    """The `levels` parts of a full name as they are stored; else InvalidParameterValue."""
    parts = _PART.findall(full_name)
    if ".".join(parts) != full_name or len(parts) != levels:
        expected = ".".join(LEVELS[:levels])
        raise InvalidParameterValue(f"'{full_name}' is not a valid name: expected {expected}.")
    return tuple(unquote(part) for part in parts)


def new_name(name: str) -> str:
    """The name of a new object as it is stored; InvalidParameterValue where it breaks a rule."""
    stored = unquote(name)
    if not stored or len(stored.encode()) > MAX_BYTES or _FORBIDDEN.search(stored):
        raise InvalidParameterValue(
            f"'{name}' is not a valid name: it must have 1 to {MAX_BYTES} bytes and no period, "
            "space, slash, back-quote or control character."
        )
    return stored
