"""Reads COMMENT ON, OWNER TO and DESCRIBE of catalogs, schemas, volumes and tables."""

from __future__ import annotations

from collections.abc import Callable

from local_workspace.sql.cursor import Cursor
from local_workspace.sql.errors import unsupported
from local_workspace.sql.object_commands import ChangeObject, DescribeVolume, Kind

_KINDS: dict[str, tuple[Kind, int]] = {
    "CATALOG": ("catalogs", 1),
    "SCHEMA": ("schemas", 2),
    "DATABASE": ("schemas", 2),
    "VOLUME": ("volumes", 3),
}
"""The kind that each word stands for, and how many parts its names have at most."""


def comment_behind(cursor: Cursor) -> str | None:
    """`IS '...'` or `IS NULL`."""
    cursor.expect("IS")
    return None if cursor.accept("NULL") else cursor.string()


def owner_behind(cursor: Cursor) -> str | None:
    """`[SET] OWNER TO principal`; None where something else comes next."""
    if cursor.accept("SET", "OWNER", "TO") or cursor.accept("OWNER", "TO"):
        return cursor.part()
    return None


def _comment_on(word: str) -> Callable[[Cursor], ChangeObject]:
    kind, parts = _KINDS[word]

    def parser(cursor: Cursor) -> ChangeObject:
        name = cursor.name(parts)
        return ChangeObject(kind, name, {"comment": comment_behind(cursor) or ""})

    return parser


def _alter(word: str) -> Callable[[Cursor], ChangeObject]:
    kind, parts = _KINDS[word]

    def parser(cursor: Cursor) -> ChangeObject:
        name = cursor.name(parts)
        owner = owner_behind(cursor)
        if owner is None:
            what = f"ALTER {word} ... {cursor.head(2)}".rstrip()
            raise unsupported(what, f"use the CLI's {kind} update")
        return ChangeObject(kind, name, {"owner": owner})

    return parser


def _describe_volume(cursor: Cursor) -> DescribeVolume:
    return DescribeVolume(cursor.name(3))


PARSERS: dict[str, Callable[[Cursor], ChangeObject | DescribeVolume]] = {
    **{f"COMMENT ON {word}": _comment_on(word) for word in _KINDS},
    **{f"ALTER {word}": _alter(word) for word in _KINDS},
    "DESCRIBE VOLUME": _describe_volume,
    "DESC VOLUME": _describe_volume,
}
