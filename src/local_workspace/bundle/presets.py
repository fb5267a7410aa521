"""What a target's mode and presets change in its resources, and the rules of the modes.

https://docs.databricks.com/en/dev-tools/bundles/deployment-modes.html
"""

from __future__ import annotations

import re
from typing import Any

from local_workspace.bundle.errors import InvalidTarget
from local_workspace.bundle.identity import is_service_principal, normalized
from local_workspace.bundle.workspace_paths import PATHS

_DEVELOPMENT_CONCURRENT_RUNS = 4
_TRIGGERS = ("schedule", "trigger", "continuous")


def with_mode(config: dict[str, Any]) -> dict[str, Any]:
    """In development mode, presets that keep one person's copy apart and quiet, and no lock."""
    bundle = config["bundle"]
    if bundle.get("mode") != "development":
        return config
    name = config["workspace"]["current_user"]["short_name"]
    presets = {
        key: value for key, value in config.get("presets", {}).items() if value not in ("", 0)
    }
    defaults = {
        "name_prefix": f"[dev {name}] ",
        "jobs_max_concurrent_runs": _DEVELOPMENT_CONCURRENT_RUNS,
        "trigger_pause_status": "PAUSED",
        "pipelines_development": True,
    }
    tags = {"dev": name, **presets.get("tags", {})}
    deployment = bundle.get("deployment", {})
    lock = {"enabled": False, **deployment.get("lock", {})}
    return {
        **config,
        "bundle": {**bundle, "deployment": {**deployment, "lock": lock}},
        "presets": {**defaults, **presets, "tags": tags},
    }


def apply_to_job(job: dict[str, Any], presets: dict[str, Any]) -> dict[str, Any]:
    """A job with the presets' prefix, tags, number of runs and pause status."""
    applied = dict(job)
    prefix = presets.get("name_prefix", "")
    if prefix:
        applied["name"] = prefix + job.get("name", "")
    if presets.get("tags"):
        applied["tags"] = {**presets["tags"], **job.get("tags", {})}
    if presets.get("jobs_max_concurrent_runs") and not job.get("max_concurrent_runs"):
        applied["max_concurrent_runs"] = presets["jobs_max_concurrent_runs"]
    status = presets.get("trigger_pause_status")
    for trigger in _TRIGGERS:
        if status and trigger in job:
            applied[trigger] = {"pause_status": status, **job[trigger]}
    return applied


def apply_to_schema(schema: dict[str, Any], presets: dict[str, Any]) -> dict[str, Any]:
    """A schema with the prefix in a form that a schema's name may have: `[dev ann] ` is `dev_ann_`."""
    prefix = presets.get("name_prefix", "").replace("[", "").strip(" ")
    if not prefix:
        return schema
    separator = "_" if prefix.endswith("]") else ""
    return {**schema, "name": normalized(prefix) + separator + schema["name"]}


def check_mode(config: dict[str, Any], target: dict[str, Any]) -> None:
    """Raises InvalidTarget if the target breaks a rule of its mode."""
    mode = config["bundle"].get("mode")
    if mode == "development":
        _check_development(config)
    elif mode == "production":
        _check_production(config, target)
    elif mode:
        raise InvalidTarget(f"mode is {mode!r}; it must be development or production.")


def _check_development(config: dict[str, Any]) -> None:
    name = config["bundle"]["target"]
    user = config["workspace"]["current_user"]
    own = [user["userName"], user["short_name"]]
    for key in PATHS:
        path = config["workspace"][key]
        if not any(part in path for part in own):
            raise InvalidTarget(
                f"targets.{name}: workspace.{key} is {path}; in development mode it must start with ~/ or "
                "contain the user's name, so that two people do not overwrite each other."
            )
    presets = config["presets"]
    if presets["trigger_pause_status"] == "UNPAUSED":
        raise InvalidTarget(
            f"targets.{name}: presets.trigger_pause_status must not be UNPAUSED in development mode."
        )
    prefix = presets["name_prefix"]
    if not any(part in prefix for part in [*own, user["domain_friendly_name"]]):
        raise InvalidTarget(
            f"targets.{name}: presets.name_prefix is {prefix!r}; in development mode it must contain "
            "the user's name (${workspace.current_user.short_name})."
        )


def _check_production(config: dict[str, Any], target: dict[str, Any]) -> None:
    if target.get("workspace", {}).get("root_path"):
        return
    jobs = config.get("resources", {}).get("jobs", {}).values()
    if all("run_as" in job for job in jobs):
        return
    user = config["workspace"]["current_user"]["userName"]
    if not is_service_principal(user):
        name = config["bundle"]["target"]
        raise InvalidTarget(
            f"targets.{name}: set workspace.root_path; in production mode it must be explicit, so that "
            "only one copy is deployed."
        )


def check_pause_status(presets: dict[str, Any]) -> None:
    """Raises InvalidTarget for a pause status that does not exist."""
    status = presets.get("trigger_pause_status")
    if status and not re.fullmatch("PAUSED|UNPAUSED", status):
        raise InvalidTarget(
            f"presets.trigger_pause_status is {status!r}; it must be PAUSED or UNPAUSED."
        )
