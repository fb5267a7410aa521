"""Text that knows where it was written, so that errors can say so and relative paths have a base."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any


class Located(str):
    """A scalar of a bundle file: `file` is relative to the bundle's root, `line` counts from 1."""

    __slots__ = ("file", "line")

    file: str
    line: int

    def __new__(cls, text: str, file: str, line: int) -> Located:
        located = super().__new__(cls, text)
        located.file = file
        located.line = line
        return located

    def same_place(self, text: str) -> Located:
        """Other text, as if it had been written here."""
        return Located(text, self.file, self.line)


def map_texts(value: Any, change: Callable[[str], Any]) -> Any:
    """Plain data with each text as `change` gives it; keys stay."""
    if isinstance(value, dict):
        return {name: map_texts(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def place(value: Any) -> str:
    """`file:line` of a value, with a trailing colon and blank; empty where it is not known."""
    return f"{value.file}:{value.line}: " if isinstance(value, Located) else ""


def rooted(path: str) -> str:
    """A path that is relative to the file that it stands in as one that is relative to the root."""
    folder = posixpath.dirname(path.file) if isinstance(path, Located) else ""
    return posixpath.normpath(posixpath.join(folder, path))
