"""Lists in pages with opaque tokens. The token is absent on the last page: clients page while it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local_workspace.api.endpoint import Params
from local_workspace.errors import InvalidParameterValue


def page_of[Item](
    items: Sequence[Item], params: Params, size_field: str, maximum: int
) -> tuple[Sequence[Item], dict[str, Any]]:
    """The asked page of `items`, and `next_page_token` where there is a further one.

    More than `maximum` items are not given at once; a size of 0 means that many.
    """
    start, size = params.integer("page_token", 0), params.integer(size_field, 0)
    if start < 0 or size < 0:
        raise InvalidParameterValue(f"page_token and {size_field} must not be negative.")
    end = start + min(size or maximum, maximum)
    return items[start:end], {"next_page_token": str(end)} if end < len(items) else {}


def page_of_arrays(
    view: dict[str, Any], names: Sequence[str], params: Params, size: int
) -> dict[str, Any]:
    """An object whose arrays are read page by page; everything else repeats on each page."""
    start = params.integer("page_token", 0)
    if start < 0:
        raise InvalidParameterValue("page_token must not be negative.")
    paged = {name: view[name][start : start + size] for name in names if name in view}
    more = any(len(view[name]) > start + size for name in paged)
    token = {"has_more": True, "next_page_token": str(start + size)} if more else {}
    return {**view, **paged, **token}
