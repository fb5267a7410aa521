"""Values of a bundle's variables: given, from the environment, looked up, from a file, or the default.

https://docs.databricks.com/en/dev-tools/bundles/variables.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

from local_workspace.bundle.errors import InvalidVariable, UnknownVariable, UnsupportedSetting

_ENVIRONMENT_PREFIX = "BUNDLE_VAR_"


def assign(
    variables: dict[str, Any], given: Mapping[str, str], root: Path, target: str
) -> dict[str, Any]:
    """The variables with a `value`, except those that are looked up in the workspace.

    Raises UnknownVariable for a given one that is not defined, InvalidVariable for one without a value.
    """
    for name in given:
        if name not in variables:
            known = ", ".join(sorted(variables)) or "none"
            raise UnknownVariable(f"The bundle has no variable {name!r}; it has {known}.")
    overrides = _read_overrides(root, target)
    return {
        name: _assign_one(name, definition, given, overrides)
        for name, definition in variables.items()
    }


def look_up(variables: dict[str, Any], client: WorkspaceClient) -> dict[str, Any]:
    """The variables with the ids of those that are looked up by name in the workspace."""
    return {
        name: {**definition, "value": _look_up_one(name, definition["lookup"], client)}
        if "lookup" in definition and "value" not in definition
        else definition
        for name, definition in variables.items()
    }


def _assign_one(
    name: str, definition: dict[str, Any], given: Mapping[str, str], overrides: dict[str, Any]
) -> dict[str, Any]:
    environment = _ENVIRONMENT_PREFIX + name
    text = given.get(name, os.environ.get(environment))
    if text is not None:
        if definition.get("type") == "complex":
            raise InvalidVariable(f"The variable {name} is complex; it cannot be set to a text.")
        return {**definition, "value": text}
    if "lookup" in definition:
        return definition
    for source in (overrides, {name: definition.get("default")}):
        if source.get(name) is not None:
            return {**definition, "value": _checked(name, definition, source[name])}
    raise InvalidVariable(
        f"The variable {name} has no value; give it a default, set {environment}, or pass it."
    )


def _checked(name: str, definition: dict[str, Any], value: Any) -> Any:
    if isinstance(value, dict | list) and definition.get("type") != "complex":
        raise InvalidVariable(
            f"The variable {name} holds a mapping or a list; declare it with `type: complex`."
        )
    return value


def _read_overrides(root: Path, target: str) -> dict[str, Any]:
    file = root / ".databricks" / "bundle" / target / "variable-overrides.json"
    if not file.exists():
        return {}
    try:
        overrides = json.loads(file.read_text())
    except ValueError as error:
        raise InvalidVariable(f"{file} is not valid JSON: {error}.") from error
    if not isinstance(overrides, dict):
        raise InvalidVariable(f"{file} must hold an object with the variables' values.")
    return overrides


def _look_up_one(name: str, lookup: dict[str, str], client: WorkspaceClient) -> str:
    if len(lookup) != 1:
        raise InvalidVariable(f"The variable {name} must look up exactly one thing, not {lookup}.")
    ((kind, wanted),) = lookup.items()
    if kind not in _LISTS:
        raise UnsupportedSetting(
            f"The variable {name} looks up a {kind}; the local deployer looks up {', '.join(_LISTS)}."
        )
    ids = [str(identity) for label, identity in _LISTS[kind](client) if label == wanted]
    if len(ids) != 1:
        raise InvalidVariable(
            f"The variable {name} looks up the {kind} {wanted!r}, of which the workspace has {len(ids)}."
        )
    return ids[0]


def _warehouses(client: WorkspaceClient) -> Iterator[tuple[Any, Any]]:
    return ((warehouse.name, warehouse.id) for warehouse in client.warehouses.list())


def _clusters(client: WorkspaceClient) -> Iterator[tuple[Any, Any]]:
    return ((cluster.cluster_name, cluster.cluster_id) for cluster in client.clusters.list())


def _jobs(client: WorkspaceClient) -> Iterator[tuple[Any, Any]]:
    return ((job.settings and job.settings.name, job.job_id) for job in client.jobs.list())


_LISTS: dict[str, Callable[[WorkspaceClient], Iterator[tuple[Any, Any]]]] = {
    "warehouse": _warehouses,
    "cluster": _clusters,
    "job": _jobs,
}
