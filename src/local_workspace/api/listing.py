"""Listings in pages: everything unless the caller asks for less, then the rest by a token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local_workspace.api.endpoint import Params
from local_workspace.errors import InvalidParameterValue


def page_of[Item](
    items: Sequence[Item], params: Params, size_field: str, maximum: int
) -> tuple[Sequence[Item], dict[str, Any]]:
    """The asked page of `items`, and `next_page_token` where there is a further one."""
    start, size = params.integer("page_token", 0), params.integer(size_field, 0)
    if start < 0 or size < 0:
        raise InvalidParameterValue(f"page_token and {size_field} must not be negative.")
    end = start + min(size or maximum, maximum)
    return items[start:end], {"next_page_token": str(end)} if end < len(items) else {}
