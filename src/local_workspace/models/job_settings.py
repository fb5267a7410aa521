"""Job settings: what is refused when they are written, and what the server fills in.

Everything that is not filled in here is echoed exactly as written, else every `bundle deploy` would see a change.
Rules: https://docs.databricks.com/api/workspace/jobs/create.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from databricks.sdk.service.jobs import JobSettings

from local_workspace.errors import InvalidParameterValue
from local_workspace.models.json_types import conform
from local_workspace.models.schedule import check_schedule
from local_workspace.models.task_checks import check_range, check_tasks, check_unique

MAX_NAME_BYTES = 4096
MAX_DESCRIPTION = 27_700
MAX_TAGS = 25
MAX_ENVIRONMENT_VARIABLES = 10
PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
GIT_PROVIDERS = (
    "github",
    "gitlab",
    "bitbucketcloud",
    "gitlabenterpriseedition",
    "bitbucketserver",
    "azuredevopsservices",
    "githubenterprise",
    "awscodecommit",
)

_NOT_SETTINGS = ("job_id", "access_control_list")
_UNIQUE = (
    ("job_clusters", "job_cluster_key", "job cluster keys"),
    ("environments", "environment_key", "environment keys"),
    ("parameters", "name", "job parameters"),
)


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are stored: validated, with the server's defaults.

    Raises MalformedRequest for JSON of the wrong kind, InvalidParameterValue for what breaks a rule.
    """
    written = {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}
    _check_git_source(written.get("git_source"))
    stored: dict[str, Any] = conform(written, JobSettings, "")
    stored["name"] = stored.get("name") or "Untitled"
    stored.setdefault("max_concurrent_runs", 1)
    stored.setdefault("timeout_seconds", 0)
    stored.setdefault("email_notifications", {})
    stored.setdefault("webhook_notifications", {})
    stored["format"] = "MULTI_TASK"
    _check_limits(stored)
    _check_lists(stored)
    check_schedule(stored)
    check_tasks(stored)
    for task in stored.get("tasks") or ():
        _fill_in(task, "GIT" if stored.get("git_source") else "WORKSPACE")
    return stored


def _check_limits(settings: Mapping[str, Any]) -> None:
    check_range(settings, "max_concurrent_runs", 0, 1000, "max_concurrent_runs")
    check_range(settings, "timeout_seconds", 0, 2**31 - 1, "timeout_seconds")
    for name, size, limit, unit in (
        ("name", len(settings["name"].encode()), MAX_NAME_BYTES, "bytes"),
        ("description", len(settings.get("description", "")), MAX_DESCRIPTION, "characters"),
        ("tags", len(settings.get("tags", ())), MAX_TAGS, "entries"),
        (
            "environment_variables",
            len(settings.get("environment_variables", ())),
            MAX_ENVIRONMENT_VARIABLES,
            "sets",
        ),
    ):
        if size > limit:
            raise InvalidParameterValue(f"{name} has {size} {unit}; at most {limit} are allowed.")


def _check_lists(settings: Mapping[str, Any]) -> None:
    for field, key, what in _UNIQUE:
        check_unique([item[key] for item in settings.get(field) or ()], what)
    for parameter in settings.get("parameters") or ():
        if not PARAMETER_NAME.fullmatch(parameter["name"]):
            raise InvalidParameterValue(
                f"The job parameter name {parameter['name']!r:.100} is invalid: use letters, digits, '_', '-' and '.'."
            )
    if any("libraries" in item for item in settings.get("job_clusters") or ()):
        raise InvalidParameterValue(
            "Libraries cannot be declared in a shared job cluster. "
            "You must declare dependent libraries in task settings."
        )


def _check_git_source(git_source: Any) -> None:
    if not isinstance(git_source, dict) or not git_source:
        return
    provider = git_source.get("git_provider")
    if not isinstance(provider, str) or provider.lower() not in GIT_PROVIDERS:
        raise InvalidParameterValue(
            f"git_source.git_provider must be one of: {','.join(GIT_PROVIDERS)}"
        )


def _fill_in(task: dict[str, Any], source: str) -> None:
    task.setdefault("run_if", "ALL_SUCCESS")
    task.setdefault("timeout_seconds", 0)
    task.setdefault("email_notifications", {})
    for holder in (
        task.get("notebook_task"),
        task.get("spark_python_task"),
        task.get("dbt_task"),
        (task.get("sql_task") or {}).get("file"),
    ):
        if holder is not None:
            holder.setdefault("source", source)
    if "for_each_task" in task:
        _fill_in(task["for_each_task"]["task"], source)


_KEYED = {"tasks": "task_key", "job_clusters": "job_cluster_key"}


def updated(
    settings: dict[str, Any], changes: dict[str, Any], fields_to_remove: Sequence[Any]
) -> dict[str, Any]:
    """jobs/update: fields replaced, tasks and job_clusters merged by key, then removals such as `tasks/task_1`."""
    changes = conform(changes, JobSettings, "")
    merged = {**settings, **changes}
    for field, key in _KEYED.items():
        if field in changes:
            check_unique([item[key] for item in changes[field]], f"keys in {field}")
            entries = (settings.get(field) or []) + changes[field]
            merged[field] = list({item[key]: item for item in entries}.values())
    for path in fields_to_remove:
        _remove(merged, path)
    return merged


def _remove(settings: dict[str, Any], path: Any) -> None:
    field, slash, item = path.partition("/") if isinstance(path, str) else ("", "", "")
    if slash and field in _KEYED and item:
        entries = settings.get(field) or ()
        settings[field] = [entry for entry in entries if entry[_KEYED[field]] != item]
    elif field and not slash:
        settings.pop(field, None)
    else:
        raise InvalidParameterValue(
            f"fields_to_remove cannot name {path!r:.100}: name a top-level field, or an entry such as tasks/task_1."
        )
