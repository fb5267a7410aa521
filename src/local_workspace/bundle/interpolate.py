"""`${...}` references in a bundle.

`${bundle.*}`, `${workspace.*}`, `${var.*}` (short for `${variables.<name>.value}`) and `${variables.*}` are known
before a deployment; `${resources.*}` only while it goes on. Others are left alone: they may be a shell's.
https://docs.databricks.com/en/dev-tools/bundles/variables.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from local_workspace.bundle.errors import InvalidVariable, ReferenceCycle, UnknownVariable
from local_workspace.bundle.located import Located, map_texts, place
from local_workspace.bundle.scalars import text_of

_NAME = r"[^\W\d_][^\W_]*(?:[-_]+[^\W_]+)*"
_REFERENCE = re.compile(
    rf"\$\{{({_NAME}(?:\.{_NAME}(?:\[[0-9]+\])*)*(?:\[[0-9]+\])*)\}}", re.UNICODE
)
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")

type Path = tuple[str | int, ...]
type Lookup = Callable[[Path], Any]


class Unresolved(Exception):
    """Raised by a lookup for what it does not know yet."""


class NotFound(Exception):
    """Raised by a lookup for what does not exist."""


def is_reference(value: Any) -> bool:
    """Whether a value is one reference and nothing else."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def references(value: Any) -> Iterator[Path]:
    """The paths of all references in a value, in order."""
    for text in _texts(value):
        for match in _REFERENCE.finditer(text):
            yield parse_path(match[1])


def parse_path(text: str) -> Path:
    """`a.b[0].c` as `("a", "b", 0, "c")`."""
    return tuple(int(match[1]) if match[1] else match[2] for match in _STEP.finditer(text))


def path_text(path: Path) -> str:
    """The inverse of `parse_path`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]


def resolve(value: Any, lookup: Lookup, key: str = "") -> Any:
    """`value` with every reference in it replaced that `lookup` knows, also those in what it gives.

    A value that is one reference takes the type of what it refers to. `key` is the value's own path.
    Raises UnknownVariable, ReferenceCycle, InvalidVariable.
    """
    return _Resolver(lookup).resolve(value, (key,) if key else ())


def pick(data: Any, path: Path) -> Any:
    """What stands at `path` in `data`; NotFound where nothing does."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            raise NotFound from None
    return data


class _Resolver:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, Any] = {}

    def resolve(self, value: Any, chain: tuple[str, ...]) -> Any:
        return map_texts(value, lambda text: self._resolve_text(text, chain))

    def _resolve_text(self, text: str, chain: tuple[str, ...]) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None:
            return self._resolve_reference(whole, text, chain)

        def replace(match: re.Match[str]) -> str:
            return self._as_text(self._resolve_reference(match, text, chain), match[0], text)

        resolved = _REFERENCE.sub(replace, text)
        return text.same_place(resolved) if isinstance(text, Located) else resolved

    def _resolve_reference(self, match: re.Match[str], text: str, chain: tuple[str, ...]) -> Any:
        name = match[1]
        if name in chain:
            circle = " -> ".join((*chain[chain.index(name) :], name))
            raise ReferenceCycle(f"{place(text)}{circle} refer to each other; break the circle.")
        if name not in self._known:
            try:
                found = self._lookup(parse_path(name))
            except Unresolved:
                return match[0]
            except NotFound:
                raise UnknownVariable(_unknown(match[0], text)) from None
            self._known[name] = self.resolve(found, (*chain, name))
        known = self._known[name]
        # A relative path that comes from a variable is relative to where the variable is used.
        if isinstance(known, str) and isinstance(text, Located):
            return text.same_place(known)
        return known

    def _as_text(self, value: Any, reference: str, text: str) -> str:
        if isinstance(value, dict | list):
            raise InvalidVariable(
                f"{place(text)}{reference} in {str(text)!r} is a mapping or a list; "
                "it can only be the whole value, not a part of a text."
            )
        return text_of(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _unknown(reference: str, text: str) -> str:
    kind, _, rest = reference[2:-1].partition(".")
    if kind == "var":
        remedy = f"define {rest.partition('.')[0]} under `variables`, or correct the name"
    else:
        remedy = "correct the reference"
    inside = "" if text == reference else f" in {str(text)!r}"
    return f"{place(text)}{reference}{inside} does not exist; {remedy}."
