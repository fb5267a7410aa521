"""The chosen target's settings on top of the bundle's."""

from __future__ import annotations

from typing import Any

from local_workspace.bundle.errors import UnknownTarget, UnknownVariable
from local_workspace.bundle.merge import merge

MERGED = ("bundle", "workspace", "artifacts", "resources", "sync", "permissions", "presets")
"""Sections whose settings merge with the target's; `run_as` and variables' defaults are replaced."""

_VALUES = frozenset({"default", "lookup"})
_VARIABLE_FIELDS = frozenset({"default", "type", "description", "lookup"})


def choose(config: dict[str, Any], name: str | None) -> str:
    """The name of the target: `name`, or the only one, or the default; raises UnknownTarget."""
    targets: dict[str, Any] = config.get("targets") or {"default": {}}
    if name is None:
        defaults = [key for key, target in targets.items() if target.get("default")]
        candidates = list(targets) if len(targets) == 1 else defaults
        if len(candidates) != 1:
            found = ", ".join(candidates) or "none"
            raise UnknownTarget(
                f"Name a target ({', '.join(targets)}); marked as default: {found}."
            )
        return candidates[0]
    if name not in targets:
        raise UnknownTarget(f"The bundle has no target {name!r}; it has {', '.join(targets)}.")
    return name


def apply(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration for one target, without the `targets` section."""
    target = (config.get("targets") or {}).get(name, {})
    applied = {key: value for key, value in config.items() if key != "targets"}
    for section in MERGED:
        if section in target:
            applied[section] = merge(applied.get(section), target[section], section)
    applied["variables"] = _apply_variables(
        applied.get("variables", {}), target.get("variables", {}), name
    )
    if "run_as" in target:
        applied["run_as"] = target["run_as"]
    bundle = {**applied.get("bundle", {}), "target": name, "environment": name}
    if "mode" in target:
        bundle["mode"] = target["mode"]
    if "git" in target:
        bundle["git"] = merge(bundle.get("git"), target["git"], "bundle.git")
    return {**applied, "bundle": bundle}


def _apply_variables(
    variables: dict[str, Any], overrides: dict[str, Any], target: str
) -> dict[str, Any]:
    """A default replaces a lookup and the other way round; a bare value is short for a default."""
    applied = dict(variables)
    for name, override in overrides.items():
        if name not in variables:
            raise UnknownVariable(
                f"targets.{target}.variables.{name} sets a variable that the bundle does not define; "
                "define it under `variables`."
            )
        definition = override if _is_definition(override) else {"default": override}
        kept = {key: value for key, value in variables[name].items() if key not in _VALUES}
        if not _VALUES & definition.keys():
            kept = variables[name]
        applied[name] = kept | {key: definition[key] for key in _VALUES & definition.keys()}
    return applied


def _is_definition(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(_VALUES & value.keys())
        and value.keys() <= _VARIABLE_FIELDS
    )
