"""Listings of jobs and runs, newest first, in pages with opaque tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_workspace.api.endpoint import Params
from local_workspace.errors import InvalidParameterValue
from local_workspace.store.keyset import Page, Place

_NUMBER = r"\.([0-9]{1,18})"


@dataclass(frozen=True)
class Listing:
    """`field` holds the entries of an answer; `order` are the attributes that they are ordered by."""

    field: str
    order: Sequence[str]
    default: int
    maximum: int

    def asked(self, params: Params) -> Place:
        """The page that a call asks for; a limit of 0 means the maximum."""
        size = params.integer("limit", self.default)
        if not 0 <= size <= self.maximum:
            raise InvalidParameterValue(
                f"limit must be between 1 and {self.maximum}, or 0 for the maximum; got {size}."
            )
        size = size or self.maximum
        if token := params.text("page_token"):
            return self._place(token, size)
        offset = params.integer("offset", 0)
        if offset < 0:
            raise InvalidParameterValue(f"offset must not be negative; got {offset}.")
        return Place(size, offset=offset)

    def answer(self, page: Page[Any], shown: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The page's items as they are shown; a token is absent where it would lead nowhere."""
        if not page.items:
            return {}
        answer: dict[str, Any] = {self.field: list(shown)}
        if page.has_older:
            answer["next_page_token"] = self._token("older", page.items[-1])
        if page.has_newer:
            answer["prev_page_token"] = self._token("newer", page.items[0])
        return answer

    def _token(self, side: str, item: object) -> str:
        key = (str(getattr(item, name)) for name in self.order)
        return ".".join((self.field, side, *key))

    def _place(self, token: str, size: int) -> Place:
        pattern = rf"{self.field}\.(older|newer)" + len(self.order) * _NUMBER
        match = re.fullmatch(pattern, token)
        if match is None:
            raise InvalidParameterValue(
                f"page_token {token[:100]!r} is no token of this list; leave it out for the first page."
            )
        side, *key = match.groups()
        return Place(size, tuple(map(int, key)), newer=side == "newer")
