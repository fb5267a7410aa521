"""Pages with opaque tokens: the token is absent on the last page, since clients page while it is there."""

from __future__ import annotations

from typing import Any

from local_workspace.api.endpoint import Params
from local_workspace.errors import InvalidParameterValue


def page_of(params: Params, *, default: int, maximum: int) -> tuple[int, int]:
    """Offset and size of the page that a list call asks for."""
    offset = params.integer("page_token") or params.integer("offset", 0)
    limit = params.integer("limit", default) or maximum
    if offset < 0 or not 1 <= limit <= maximum:
        raise InvalidParameterValue(f"limit must be between 1 and {maximum}, got {limit}.")
    return offset, limit


def with_next_page(name: str, items: list[Any], offset: int, limit: int) -> dict[str, Any]:
    """The first `limit` items under `name`; `items` holds one more where there is a further page."""
    page: dict[str, Any] = {name: items[:limit]} if items else {}
    if len(items) > limit:
        page["next_page_token"] = str(offset + limit)
    if offset > 0:
        page["prev_page_token"] = str(max(0, offset - limit))
    return page
