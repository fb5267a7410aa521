"""Pages that begin beside an entry and not at a number: entries that come or go meanwhile shift none of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_workspace.store.database import Database, Row

Key = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a page of at most `size` entries is: next to the entry with `key` on its older or `newer` side.

    Without `key` at the newest entry, of which `offset` are left out.
    """

    size: int
    key: Key | None = None
    newer: bool = False
    offset: int = 0


@dataclass(frozen=True)
class Page[Item]:
    """Newest first."""

    items: list[Item]
    has_newer: bool
    has_older: bool


def read[Item](
    db: Database,
    query: str,
    values: Mapping[str, Any],
    columns: Sequence[str],
    place: Place,
    item: Callable[[Row], Item],
) -> Page[Item]:
    """The page at `place` of a query that ends in its WHERE clause; `columns` are the key that it is ordered by."""
    order = "ASC" if place.newer else "DESC"
    ordered = ", ".join(f"{column} {order}" for column in columns)
    rows = db.all(
        f"{query} {_beside(columns, place)} ORDER BY {ordered} LIMIT :limit OFFSET :offset",
        {
            **values,
            **_named(place.key or ()),
            "limit": place.size + 1,
            "offset": place.offset,
        },
    )
    items = [item(row) for row in rows[: place.size]]
    more = len(rows) > place.size
    if place.newer:
        return Page(items[::-1], has_newer=more, has_older=True)
    return Page(items, has_newer=place.key is not None or place.offset > 0, has_older=more)


def _beside(columns: Sequence[str], place: Place) -> str:
    if place.key is None:
        return ""
    marks = ", ".join(f":{name}" for name in _named(place.key))
    return f"AND ({', '.join(columns)}) {'>' if place.newer else '<'} ({marks})"


def _named(key: Key) -> dict[str, int]:
    return {f"key_{index}": part for index, part in enumerate(key)}
