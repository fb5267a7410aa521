"""Dynamic value references: `{{job.run_id}}`, `{{tasks.t.values.k}}`, ... replaced by text when a task starts.

Semantics: https://docs.databricks.com/aws/en/jobs/dynamic-value-references. A name outside the known namespaces and
malformed braces stay as they are; an unknown name inside a known namespace is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import Misconfigured

MISSING: Any = object()


class UnknownReference(Misconfigured):
    """A reference inside a known namespace that names nothing."""


class NotAScalar(Misconfigured):
    """A reference to an array, an object or null where only text, numbers and booleans can be."""


@dataclass(frozen=True)
class TaskScope:
    """What may be asked of a task: the current one, or one upstream."""

    name: str
    run_id: int
    execution_count: int
    notebook_path: str | None = None
    outcome: Outcome | None = None
    error_code: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Scope:
    """All that references can name at one moment of a run. Times are epoch milliseconds."""

    job_id: int
    job_name: str
    run_id: int
    repair_count: int
    start_time: int
    trigger: str
    workspace_id: int
    workspace_url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    task: TaskScope | None = None
    tasks: Mapping[str, TaskScope] = field(default_factory=dict)
    input: Any = MISSING


_REFERENCE = re.compile(r"\{\{\s*((?:`[^`{}]+`|[^`{}\s])+?)\s*\}\}")
_PART = re.compile(r"`([^`]+)`|([^.`]+)")


def resolve(value: Any, scope: Scope, *, scalars_only: bool = False) -> Any:
    """`value` with the references in all its texts replaced; raises UnknownReference, or NotAScalar."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _text_of(match, scope, scalars_only), value)
    if isinstance(value, dict):
        return {k: resolve(item, scope, scalars_only=scalars_only) for k, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, scope, scalars_only=scalars_only) for item in value]
    return value


def named_tasks(value: Any) -> set[str]:
    """The keys of the tasks that references in `value` name."""
    if isinstance(value, str):
        found = (_parts(match) for match in _REFERENCE.finditer(value))
        return {parts[1] for parts in found if parts[0] == "tasks" and len(parts) > 1}
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(named_tasks, items))


def as_text(value: Any) -> str:
    """A value as a reference shows it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parts(match: re.Match[str]) -> list[str]:
    return [quoted or plain for quoted, plain in _PART.findall(match[1])]


def _text_of(match: re.Match[str], scope: Scope, scalars_only: bool) -> str:
    parts = _parts(match)
    namespace, rest = parts[0], parts[1:]
    lookup = _NAMESPACES.get(namespace)
    if lookup is None:
        return match[0]
    value = lookup(scope, rest)
    if value is MISSING:
        raise UnknownReference(
            f"The reference {match[0]} names nothing that is known here. See "
            "https://docs.databricks.com/aws/en/jobs/dynamic-value-references for those that exist."
        )
    if scalars_only and not isinstance(value, str | int | float):
        raise NotAScalar(
            f"The reference {match[0]} is {as_text(value)[:200]}; a condition compares text, numbers and booleans."
        )
    return as_text(value)


def _job(scope: Scope, parts: list[str]) -> Any:
    match parts:
        case ["id"]:
            return scope.job_id
        case ["name"]:
            return scope.job_name
        case ["run_id"]:
            return scope.run_id
        case ["repair_count"]:
            return scope.repair_count
        case ["start_time", argument] | ["trigger", "time", argument]:
            return _time(scope.start_time, argument)
        case ["trigger", "type"]:
            return scope.trigger.lower()
        case ["parameters", name]:
            return scope.parameters.get(name, MISSING)
    return MISSING


def _task(scope: Scope, parts: list[str]) -> Any:
    return MISSING if scope.task is None else _of_task(scope.task, parts)


def _tasks(scope: Scope, parts: list[str]) -> Any:
    if not parts or parts[0] not in scope.tasks:
        return MISSING
    task = scope.tasks[parts[0]]
    match parts[1:]:
        case ["result_state"]:
            return MISSING if task.outcome is None else _result_state(task.outcome)
        case ["error_code"]:
            return "".join(word.capitalize() for word in task.error_code.split("_"))
        case ["values", key]:
            return task.values.get(key, MISSING)
        case ["output", *what]:
            return _sql_output(task.rows, what)
        case ["name"]:
            return MISSING
    return _of_task(task, parts[1:])


def _result_state(outcome: Outcome) -> str:
    """In the words of the references, which know no failure of the platform."""
    return "failed" if outcome is Outcome.INTERNAL_ERROR else outcome.lower()


def _of_task(task: TaskScope, parts: list[str]) -> Any:
    match parts:
        case ["name"]:
            return task.name
        case ["run_id"]:
            return task.run_id
        case ["execution_count"]:
            return task.execution_count
        case ["notebook_path"]:
            return MISSING if task.notebook_path is None else task.notebook_path
    return MISSING


def _sql_output(rows: list[dict[str, Any]] | None, what: list[str]) -> Any:
    if rows is None:
        return MISSING
    match what:
        case ["rows"]:
            return rows
        case ["first_row"]:
            return rows[0] if rows else MISSING
        case ["first_row", column]:
            return rows[0].get(column, MISSING) if rows else MISSING
    return MISSING


def _workspace(scope: Scope, parts: list[str]) -> Any:
    values = {"id": scope.workspace_id, "url": scope.workspace_url}
    return values.get(parts[0], MISSING) if len(parts) == 1 else MISSING


def _input(scope: Scope, parts: list[str]) -> Any:
    value = scope.input
    for part in parts:
        value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
    return value


def _time(milliseconds: int, argument: str) -> Any:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    parts: dict[str, Any] = {
        "iso_date": moment.strftime("%Y-%m-%d"),
        "iso_datetime": moment.strftime("%Y-%m-%dT%H:%M:%S"),
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
        "iso_weekday": moment.isoweekday(),
        "is_weekday": moment.isoweekday() < 6,
        "timestamp_ms": milliseconds,
    }
    return parts.get(argument, MISSING)


def _deprecated(path: list[str]) -> Callable[[Scope, list[str]], Any]:
    return lambda scope, rest: (
        (_task if path[0] == "task" else _job)(scope, path[1:]) if not rest else MISSING
    )


_NAMESPACES: dict[str, Callable[[Scope, list[str]], Any]] = {
    "job": _job,
    "task": _task,
    "tasks": _tasks,
    "workspace": _workspace,
    "input": _input,
    # Known, and there is nothing to find: the local workspace runs no backfills.
    "backfill": lambda _, __: MISSING,
    "job_id": _deprecated(["job", "id"]),
    "run_id": _deprecated(["task", "run_id"]),
    "parent_run_id": _deprecated(["job", "run_id"]),
    "task_key": _deprecated(["task", "name"]),
    "start_date": _deprecated(["job", "start_time", "iso_date"]),
    "start_time": _deprecated(["job", "start_time", "timestamp_ms"]),
    "task_retry_count": lambda scope, _: scope.task.execution_count - 1 if scope.task else MISSING,
}
