"""What is refused in a job's tasks when they are written.

Rules: https://docs.databricks.com/api/workspace/jobs/create (`tasks`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from databricks.sdk.service.jobs import Task

from local_workspace.errors import InvalidParameterValue
from local_workspace.models.graph import cycle, dependencies

MAX_TASKS = 1000
MAX_CONCURRENCY = 100
TASK_KEY = re.compile(r"[\w-]{1,100}")
TASK_KINDS = frozenset(field.name for field in fields(Task) if field.name.endswith("_task"))
_RETRIES = ("max_retries", "min_retry_interval_millis", "retry_on_timeout")
_COMPUTE = ("existing_cluster_id", "new_cluster", "job_cluster_key", "environment_key")


def check_tasks(settings: Mapping[str, Any]) -> None:
    """Keys, kinds and references of all tasks, and that their dependencies are a graph without cycles."""
    tasks = settings.get("tasks") or []
    if len(tasks) > MAX_TASKS:
        raise InvalidParameterValue(
            f"The job has {len(tasks)} tasks; at most {MAX_TASKS} are allowed."
        )
    for task in tasks:
        _check_task(task, settings)
    _check_keys(tasks)
    _check_dependencies(tasks)


def task_kind(task: Mapping[str, Any]) -> str:
    """The one field that says what the task does, e.g. `notebook_task`."""
    kinds = sorted(TASK_KINDS.intersection(task))
    if len(kinds) != 1:
        found = ", ".join(kinds) or "none"
        raise InvalidParameterValue(
            f"Task '{task['task_key']}' must have exactly one task type, found: {found}."
        )
    return kinds[0]


def _check_task(task: dict[str, Any], settings: Mapping[str, Any]) -> None:
    key = task["task_key"]
    if not TASK_KEY.fullmatch(key):
        raise InvalidParameterValue(
            f"Task key {key!r:.120} is invalid: use 1 to 100 letters, digits, '_' and '-'."
        )
    kind = task_kind(task)
    for name, low in (
        ("max_retries", -1),
        ("min_retry_interval_millis", 0),
        ("timeout_seconds", 0),
    ):
        check_range(task, name, low, 2**31 - 1, f"Task '{key}': {name}")
    _check_compute(task, settings)
    if kind == "python_wheel_task":
        _check_wheel(key, task[kind])
    if kind == "sql_task":
        _check_sql(key, task[kind])
    if kind == "for_each_task":
        _check_for_each(task, settings)


def check_range(holder: Mapping[str, Any], name: str, low: int, high: int, shown: str) -> None:
    value = holder.get(name, low)
    if not low <= value <= high:
        raise InvalidParameterValue(f"{shown} must be between {low} and {high}, got {value}.")


def _check_compute(task: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    key = task["task_key"]
    chosen = [name for name in _COMPUTE if task.get(name)]
    if len(chosen) > 1:
        raise InvalidParameterValue(f"Task '{key}' can have only one of {', '.join(chosen)}.")
    cluster, environment = task.get("job_cluster_key"), task.get("environment_key")
    if cluster and cluster not in _keys(settings, "job_clusters", "job_cluster_key"):
        raise InvalidParameterValue(
            f"Job cluster '{cluster}' is not defined in field 'job_clusters'."
        )
    if environment and environment not in _keys(settings, "environments", "environment_key"):
        raise InvalidParameterValue(
            f"Environment '{environment}' is not defined in field 'environments'."
        )


def _keys(settings: Mapping[str, Any], field: str, key: str) -> list[str]:
    return [item[key] for item in settings.get(field) or ()]


def _check_wheel(key: str, wheel: Mapping[str, Any]) -> None:
    if wheel.get("parameters") and wheel.get("named_parameters"):
        raise InvalidParameterValue(
            f"Task '{key}': python_wheel_task takes parameters or named_parameters, not both."
        )


def _check_sql(key: str, sql: Mapping[str, Any]) -> None:
    sources = [name for name in ("alert", "dashboard", "file", "query") if name in sql]
    if len(sources) != 1:
        found = ", ".join(sources) or "none"
        raise InvalidParameterValue(
            f"Task '{key}': sql_task must have exactly one of alert, dashboard, file, query; found: {found}."
        )


def _check_for_each(task: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    key, for_each = task["task_key"], task["for_each_task"]
    if "for_each_task" in for_each["task"]:
        raise InvalidParameterValue(
            f"Task '{key}': a for_each_task cannot contain another for_each_task."
        )
    for name in _RETRIES:
        if task.get(name):
            raise InvalidParameterValue(
                f"Task '{key}': a for_each_task has no {name} of its own; set it in for_each_task.task, "
                "whose iterations are tried again."
            )
    check_range(for_each, "concurrency", 1, MAX_CONCURRENCY, f"Task '{key}': concurrency")
    _check_task(for_each["task"], settings)


def _check_keys(tasks: Iterable[Mapping[str, Any]]) -> None:
    inner = [task["for_each_task"]["task"] for task in tasks if "for_each_task" in task]
    check_unique([task["task_key"] for task in (*tasks, *inner)], "task keys")


def check_unique(keys: Iterable[str], what: str) -> None:
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise InvalidParameterValue(f"Duplicate {what} are not allowed: {', '.join(repeated)}.")


def _check_dependencies(tasks: list[dict[str, Any]]) -> None:
    by_key = {task["task_key"]: task for task in tasks}
    for task in tasks:
        for dependency in task.get("depends_on") or ():
            _check_dependency(task["task_key"], dependency, by_key)
    found = cycle({key: dependencies(task) for key, task in by_key.items()})
    if found:
        raise InvalidParameterValue(
            f"Invalid dependency graph, the tasks form a cycle: {' -> '.join(found)}."
        )


def _check_dependency(
    key: str, dependency: Mapping[str, Any], by_key: Mapping[str, Mapping[str, Any]]
) -> None:
    wanted = dependency["task_key"]
    if wanted == key:
        raise InvalidParameterValue(
            f"Invalid dependency graph, task '{key}' can not reference itself."
        )
    if wanted not in by_key:
        raise InvalidParameterValue(
            f"Invalid dependency graph, task '{key}' depends on task '{wanted}', which does not exist."
        )
    outcome = dependency.get("outcome")
    if outcome is None:
        return
    if "condition_task" not in by_key[wanted]:
        raise InvalidParameterValue(
            f"Task '{key}' names an outcome of '{wanted}', which is not a condition task."
        )
    if outcome not in ("true", "false"):
        raise InvalidParameterValue(
            f"Task '{key}': the outcome of '{wanted}' must be 'true' or 'false', got {outcome!r:.100}."
        )
