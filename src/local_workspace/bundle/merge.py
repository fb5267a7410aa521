"""How values of several files and of a target become one: mappings merge, lists join, scalars are replaced."""

from __future__ import annotations

from typing import Any

from local_workspace.bundle.errors import MergeConflict
from local_workspace.bundle.located import place


def merge(base: Any, override: Any, key: str = "") -> Any:
    """`base` with `override` on top; null is the same as absent. `key` is the path for MergeConflict."""
    if base is None or override is None:
        return base if override is None else override
    if isinstance(base, dict) and isinstance(override, dict):
        return _merge_mappings(base, override, key)
    if isinstance(base, list) and isinstance(override, list):
        return base + override
    if isinstance(base, dict | list) or isinstance(override, dict | list):
        where = place(override) or place(base)
        raise MergeConflict(
            f"{where}{key} is {_kind(base)} in one place and {_kind(override)} in another; "
            "give it the same kind in both."
        )
    return override


def merge_by_key(elements: list[Any], name: str, key: str) -> list[Any]:
    """A list of mappings in which those with the same `name` are merged, in order of first sight."""
    merged: dict[str, Any] = {}
    for element in elements:
        identity = str(element.get(name, ""))
        merged[identity] = merge(merged.get(identity), element, f"{key}[{identity}]")
    return list(merged.values())


def _merge_mappings(base: dict[str, Any], override: dict[str, Any], key: str) -> dict[str, Any]:
    merged = dict(base)
    for name, value in override.items():
        merged[name] = merge(base.get(name), value, f"{key}.{name}" if key else name)
    return merged


def _kind(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"the value {value!r}"
