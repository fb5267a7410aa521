"""Job settings: what is refused when they are written, and what the server fills in.

Everything that is not filled in here is echoed exactly as written, else every `bundle deploy` would see a change.
Rules: https://docs.databricks.com/api/workspace/jobs/create.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from local_workspace.errors import InvalidParameterValue, MalformedRequest
from local_workspace.models.graph import RUN_IF_VALUES, ancestors, dependencies

MAX_TASKS = 1000
TASK_KEY = re.compile(r"[\w-]{1,100}")
TASK_KINDS = frozenset(
    {
        "alert_task",
        "clean_rooms_notebook_task",
        "compute_task",
        "condition_task",
        "dashboard_task",
        "dbt_cloud_task",
        "dbt_platform_task",
        "dbt_task",
        "for_each_task",
        "gen_ai_compute_task",
        "notebook_task",
        "pipeline_task",
        "power_bi_task",
        "python_operator_task",
        "python_wheel_task",
        "run_job_task",
        "spark_jar_task",
        "spark_python_task",
        "spark_submit_task",
        "sql_task",
    }
)

_NOT_SETTINGS = ("job_id", "access_control_list")


def checked(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as they are stored: validated and with the server's defaults; raises InvalidParameterValue."""
    settings = {
        name: deepcopy(value) for name, value in settings.items() if name not in _NOT_SETTINGS
    }
    _check_shape(settings)
    settings["name"] = settings.get("name") or "Untitled"
    settings.setdefault("max_concurrent_runs", 1)
    settings.setdefault("timeout_seconds", 0)
    settings.setdefault("email_notifications", {})
    settings.setdefault("webhook_notifications", {})
    settings["format"] = "MULTI_TASK"
    check_tasks(settings)
    for task in settings.get("tasks") or ():
        _fill_in(task, "GIT" if settings.get("git_source") else "WORKSPACE")
    return settings


def check_tasks(settings: dict[str, Any]) -> None:
    tasks = settings.get("tasks") or []
    if len(tasks) > MAX_TASKS:
        raise InvalidParameterValue(
            f"The job has {len(tasks)} tasks; at most {MAX_TASKS} are allowed."
        )
    for task in tasks:
        _check_task(task, settings)
    _check_keys(tasks)
    _check_dependencies(tasks)


def _check_shape(settings: dict[str, Any]) -> None:
    for name in ("tasks", "job_clusters", "environments", "parameters"):
        value = settings.get(name)
        if value is not None and not (
            isinstance(value, list) and all(isinstance(item, dict) for item in value)
        ):
            raise MalformedRequest(
                f"Could not parse request object: Expected array of objects for field '{name}'"
            )
    if not isinstance(settings.get("name", ""), str):
        raise MalformedRequest("Could not parse request object: Expected string for field 'name'")
    for name, low, high in (("max_concurrent_runs", 0, 1000), ("timeout_seconds", 0, 2**31 - 1)):
        if name in settings:
            settings[name] = _whole_number(settings[name], name, low, high)


def _whole_number(value: Any, name: str, low: int, high: int) -> int:
    """Airflow sends numbers as strings."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise InvalidParameterValue(f"{name} must be an integer, got {value!r}.") from None
    if not low <= number <= high:
        raise InvalidParameterValue(f"{name} must be between {low} and {high}, got {number}.")
    return number


def _check_task(task: dict[str, Any], settings: dict[str, Any]) -> None:
    key = task.get("task_key")
    if not isinstance(key, str) or not TASK_KEY.fullmatch(key):
        raise InvalidParameterValue(
            f"Task key {key!r} is invalid: use 1 to 100 letters, digits, '_' and '-'."
        )
    kinds = sorted(
        TASK_KINDS.intersection(name for name, value in task.items() if value is not None)
    )
    if len(kinds) != 1:
        found = ", ".join(kinds) or "none"
        raise InvalidParameterValue(
            f"Task '{key}' must have exactly one task type, found: {found}."
        )
    if not isinstance(task[kinds[0]], dict):
        raise MalformedRequest(
            f"Could not parse request object: Expected object for field '{kinds[0]}'"
        )
    run_if = task.get("run_if")
    if run_if is not None and run_if not in RUN_IF_VALUES:
        raise InvalidParameterValue(
            f"Task '{key}' has the unknown run_if {run_if!r}; use one of {', '.join(sorted(RUN_IF_VALUES))}."
        )
    for name in ("max_retries", "min_retry_interval_millis", "timeout_seconds"):
        if task.get(name) is not None:
            task[name] = _whole_number(
                task[name], name, -1 if name == "max_retries" else 0, 2**31 - 1
            )
    _check_references(task, settings)
    if "for_each_task" in kinds:
        _check_for_each(task, settings)


def _check_references(task: dict[str, Any], settings: dict[str, Any]) -> None:
    for field, defined_in in (
        ("job_cluster_key", "job_clusters"),
        ("environment_key", "environments"),
    ):
        wanted = task.get(field)
        known = [item.get(field) for item in settings.get(defined_in) or ()]
        if wanted and wanted not in known:
            raise InvalidParameterValue(
                f"Task '{task['task_key']}' refers to the {field} '{wanted}', which {defined_in} does not define."
            )


def _check_for_each(task: dict[str, Any], settings: dict[str, Any]) -> None:
    for_each = task["for_each_task"]
    inner = for_each.get("task")
    if not isinstance(inner, dict):
        raise InvalidParameterValue(f"Task '{task['task_key']}': for_each_task.task is required.")
    if inner.get("for_each_task") is not None:
        raise InvalidParameterValue(
            f"Task '{task['task_key']}': a for_each_task cannot contain another for_each_task."
        )
    if not isinstance(for_each.get("inputs"), str):
        raise InvalidParameterValue(
            f"Task '{task['task_key']}': for_each_task.inputs must be a string that holds a JSON array or a reference."
        )
    for_each["concurrency"] = _whole_number(for_each.get("concurrency") or 1, "concurrency", 1, 100)
    _check_task(inner, settings)


def _check_keys(tasks: Iterable[dict[str, Any]]) -> None:
    inner = [task["for_each_task"]["task"] for task in tasks if task.get("for_each_task")]
    counts = Counter(task["task_key"] for task in [*tasks, *inner])
    repeated = [key for key, count in counts.items() if count > 1]
    if repeated:
        raise InvalidParameterValue(f"Duplicate task keys are not allowed: {', '.join(repeated)}.")


def _check_dependencies(tasks: list[dict[str, Any]]) -> None:
    by_key = {task["task_key"]: task for task in tasks}
    for task in tasks:
        for dependency in task.get("depends_on") or ():
            if not isinstance(dependency, dict) or dependency.get("task_key") not in by_key:
                wanted = dependency.get("task_key") if isinstance(dependency, dict) else dependency
                raise InvalidParameterValue(
                    f"Task '{task['task_key']}' depends on the task '{wanted}', which does not exist."
                )
            upstream = by_key[dependency["task_key"]]
            if dependency.get("outcome") and not upstream.get("condition_task"):
                raise InvalidParameterValue(
                    f"Task '{task['task_key']}' names an outcome of '{upstream['task_key']}', "
                    "which is not a condition task."
                )
    for task in tasks:
        if task["task_key"] in ancestors(tasks, dependencies(task)) | set(dependencies(task)):
            raise InvalidParameterValue(f"The tasks have a cycle through '{task['task_key']}'.")


def _fill_in(task: dict[str, Any], source: str) -> None:
    task.setdefault("run_if", "ALL_SUCCESS")
    task.setdefault("timeout_seconds", 0)
    task.setdefault("email_notifications", {})
    for holder in (
        task.get("notebook_task"),
        task.get("spark_python_task"),
        (task.get("sql_task") or {}).get("file"),
    ):
        if holder:
            holder.setdefault("source", source)
    if task.get("for_each_task"):
        _fill_in(task["for_each_task"]["task"], source)


_KEYED = {"tasks": "task_key", "job_clusters": "job_cluster_key"}


def updated(
    settings: dict[str, Any], changes: dict[str, Any], fields_to_remove: Iterable[str]
) -> dict[str, Any]:
    """jobs/update: fields replaced, tasks and job_clusters merged by key, then removals such as `tasks/task_1`."""
    merged = {**settings, **changes}
    for field, key in _KEYED.items():
        if field in changes:
            by_key = {item[key]: item for item in settings.get(field) or ()}
            by_key |= {item.get(key): item for item in changes[field] or ()}
            merged[field] = list(by_key.values())
    for path in fields_to_remove:
        field, _, item = path.partition("/")
        if item and field in _KEYED:
            merged[field] = [
                entry for entry in merged.get(field) or () if entry[_KEYED[field]] != item
            ]
        elif not item:
            merged.pop(field, None)
        else:
            raise InvalidParameterValue(f"fields_to_remove cannot name '{path}'.")
    return merged
