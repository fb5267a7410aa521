"""Listings in pages with opaque tokens. The token is absent on the last page: clients page while it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_workspace.api.endpoint import Params
from local_workspace.errors import InvalidParameterValue


@dataclass(frozen=True)
class Page:
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


def asked_page(
    params: Params, size_field: str, *, default: int, maximum: int, strict: bool = True
) -> Page:
    """The page that a call asks for; a size of 0 means the maximum, more than that is refused if `strict`."""
    start = params.integer("page_token") or params.integer("offset", 0)
    size = params.integer(size_field, default)
    if start < 0 or size < 0:
        raise InvalidParameterValue(f"page_token and {size_field} must not be negative.")
    if strict and size > maximum:
        raise InvalidParameterValue(
            f"{size_field} must be between 1 and {maximum}, or 0 for the maximum; got {size}."
        )
    return Page(start, min(size or maximum, maximum))


def page_of[Item](
    items: Sequence[Item], params: Params, size_field: str, maximum: int
) -> tuple[Sequence[Item], dict[str, Any]]:
    """The asked page of `items`, and `next_page_token` where there is a further one."""
    page = asked_page(params, size_field, default=0, maximum=maximum, strict=False)
    more = page.end < len(items)
    return items[page.start : page.end], {"next_page_token": str(page.end)} if more else {}


def listed(name: str, items: list[Any], page: Page) -> dict[str, Any]:
    """The page's items under `name`; `items` holds one more where there is a further page."""
    answer: dict[str, Any] = {name: items[: page.size]} if items else {}
    if len(items) > page.size:
        answer["next_page_token"] = str(page.end)
    if page.start > 0:
        answer["prev_page_token"] = str(max(0, page.start - page.size))
    return answer


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
