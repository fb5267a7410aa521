"""A bundle for one target with everything filled in that is known before the deployment.

The result is what `databricks bundle validate -o json` prints for the same bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

from local_workspace.bundle import (
    artifact,
    git,
    interpolate,
    jobs,
    permissions,
    presets,
    schema,
    storage,
    targets,
    variables,
    workspace_paths,
)
from local_workspace.bundle.conform import conform, missing_fields, without_empty_texts
from local_workspace.bundle.errors import InvalidSetting
from local_workspace.bundle.identity import current_user
from local_workspace.bundle.load import load
from local_workspace.bundle.located import map_texts, rooted
from local_workspace.bundle.paths import PathTranslator

_KNOWN_EARLY = ("bundle", "workspace", "variables")

_UNSET: dict[str, Any] = {
    "bundle": dict.fromkeys(("mode", "uuid", "databricks_cli_version"), "")
    | {
        "git": dict.fromkeys(
            ("branch", "actual_branch", "commit", "origin_url", "bundle_root_path"), ""
        )
    },
    "workspace": dict.fromkeys(("host", "profile"), ""),
}
"""What a reference may name although nothing has set it: it is empty then."""


@dataclass(frozen=True)
class Resolved:
    """`config` as the CLI prints it, its texts `Located`; `job_files` says in which file each job stands."""

    config: dict[str, Any]
    job_files: dict[str, str]


def resolve(
    root: Path, target: str | None, given: Mapping[str, str], client: WorkspaceClient
) -> dict[str, Any]:
    """The configuration of the bundle in `root` for `target` (None: the default), as the CLI validates it.

    `given` are variables' values. The client is asked who the user is and for what variables look up.
    Raises a BundleError that names what is wrong, where, and what to do.
    """
    config = resolve_bundle(root, target, given, client).config
    plain: dict[str, Any] = map_texts(config, str)
    return plain


def resolve_bundle(
    root: Path, target: str | None, given: Mapping[str, str], client: WorkspaceClient
) -> Resolved:
    """As `resolve`, with what a deployment needs beside it."""
    root = root.resolve()
    loaded = load(root)
    name = targets.choose(loaded.config, target)
    config = targets.apply(loaded.config, name)
    config = _with_workspace(config, root, client)
    config = _with_variables(config, given, root, client)
    config = presets.with_mode(config)
    config["resources"] = _resources(config, root)
    config["artifacts"] = artifact.with_paths(config.get("artifacts", {}), root)
    presets.check_mode(config, (loaded.config.get("targets") or {}).get(name, {}))
    return Resolved(_without_empty(config), loaded.job_files)


def _with_workspace(config: dict[str, Any], root: Path, client: WorkspaceClient) -> dict[str, Any]:
    bundle = config["bundle"]
    bundle = {**bundle, "git": {**git.details(root), **bundle.get("git", {})}}
    workspace = workspace_paths.with_default_paths(
        config.get("workspace", {}), bundle, current_user(client)
    )
    sync = {"paths": ["."], **_rooted(config.get("sync", {}))}
    located = workspace_paths.without_doubled_prefix(config)
    return {**located, "bundle": bundle, "workspace": workspace, "sync": sync}


def _with_variables(
    config: dict[str, Any], given: Mapping[str, str], root: Path, client: WorkspaceClient
) -> dict[str, Any]:
    """Everything but the resources with its references resolved; then variables are looked up."""
    assigned = variables.assign(config["variables"], given, root, config["bundle"]["target"])
    with_lookups = _resolve_early({**config, "variables": assigned}, ["variables"])
    with_lookups["variables"] = variables.look_up(with_lookups["variables"], client)
    sections = [name for name in with_lookups if name != "resources"]
    return _resolve_early(with_lookups, sections)


def _resolve_early(config: dict[str, Any], sections: list[str]) -> dict[str, Any]:
    resolved = dict(config)
    for section in sections:
        resolved[section] = interpolate.resolve(config[section], _lookup(config))
    return resolved


def _lookup(config: dict[str, Any]) -> interpolate.Lookup:
    """What is known before a deployment; a variable that is still to be looked up is not."""

    def look_up(path: interpolate.Path) -> Any:
        if path[0] == "var":
            path = ("variables", *path[1:2], "value", *path[2:])
        if path[0] not in _KNOWN_EARLY:
            raise interpolate.Unresolved
        if path[0] == "variables":
            definition = interpolate.pick(config, path[:2])
            if "lookup" in definition and "value" not in definition:
                raise interpolate.Unresolved
        try:
            return interpolate.pick(config, path)
        except interpolate.NotFound:
            return interpolate.pick(_UNSET, path)

    return look_up


def _resources(config: dict[str, Any], root: Path) -> dict[str, Any]:
    """Jobs, schemas and volumes as the CLI completes them."""
    permissions.check(config.get("permissions", []))
    presets.check_pause_status(config.get("presets", {}))
    given = interpolate.resolve(config.get("resources", {}), _lookup(config))
    given = conform(given, schema.Resources, "resources")
    schemas, volumes = given.get("schemas", {}), given.get("volumes", {})
    applied = config.get("presets", {})
    completed: dict[str, Any] = {
        "jobs": {key: _job(key, job, config, root) for key, job in given.get("jobs", {}).items()},
        "schemas": {
            key: presets.apply_to_schema(_checked("schemas", key, value, schema.Schema), applied)
            for key, value in schemas.items()
        },
        "volumes": {
            key: {"volume_type": "MANAGED", **storage.with_schema_reference(volume, schemas)}
            for key, volume in volumes.items()
        },
    }
    completed["volumes"] = {
        key: storage.with_volume_path(_checked("volumes", key, value, schema.Volume), completed)
        for key, value in completed["volumes"].items()
    }
    completed = {kind: found for kind, found in completed.items() if kind in given}
    return _resolve_volume_paths(without_empty_texts(completed, schema.Resources))


def _job(key: str, job: dict[str, Any], config: dict[str, Any], root: Path) -> dict[str, Any]:
    workspace = config["workspace"]
    job = jobs.with_merged_lists(_checked("jobs", key, job, schema.Job), key)
    jobs.check_compute(job, f"resources.jobs.{key}")
    if "run_as" in config:
        job = {"run_as": config["run_as"], **job}
    job = presets.apply_to_job(job, config.get("presets", {}))
    job = jobs.with_defaults(job)
    user_name = workspace["current_user"]["userName"]
    job = permissions.with_permissions(job, config.get("permissions", []), user_name)
    PathTranslator(root, workspace["file_path"]).translate(job, f"resources.jobs.{key}")
    return jobs.with_deployment(job, f"{workspace['state_path']}/metadata.json")


def _checked(kind: str, key: str, value: dict[str, Any], wanted: Any) -> dict[str, Any]:
    if not value:
        raise InvalidSetting(f"resources.{kind}.{key} is empty; give it its settings or remove it.")
    missing = missing_fields(value, wanted)
    if missing:
        raise InvalidSetting(f"resources.{kind}.{key} lacks {', '.join(missing)}.")
    return value


def _resolve_volume_paths(resources: dict[str, Any]) -> dict[str, Any]:
    """References to `resources.volumes.<key>.volume_path` are the only ones that need no deployment."""

    def look_up(path: interpolate.Path) -> Any:
        if len(path) != 4 or path[:2] != ("resources", "volumes") or path[3] != "volume_path":
            raise interpolate.Unresolved
        return interpolate.pick({"resources": resources}, path)

    resolved: dict[str, Any] = interpolate.resolve(resources, look_up)
    return resolved


def _rooted(sync: dict[str, Any]) -> dict[str, Any]:
    """Patterns relative to the bundle's root, wherever they are written."""
    return {name: [rooted(pattern) for pattern in patterns] for name, patterns in sync.items()}


def _without_empty(config: dict[str, Any]) -> dict[str, Any]:
    return {name: section for name, section in config.items() if section not in ({}, [], None)}
