"""Partial runs: `only` of run-now names the tasks that take part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_workspace.errors import InvalidParameterValue
from local_workspace.models.graph import ancestors, dependents


def only(settings: Mapping[str, Any], patterns: Sequence[str]) -> dict[str, Any]:
    """The settings with the selected tasks alone: `k`, `+k` (with all upstream), `k+` (with all downstream), `+k+`."""
    tasks = settings.get("tasks") or []
    selected: set[str] = set()
    for pattern in patterns:
        selected |= _selected(pattern, tasks)
    if not patterns:
        return dict(settings)
    return {**settings, "tasks": [task for task in tasks if task["task_key"] in selected]}


def _selected(pattern: str, tasks: Sequence[Mapping[str, Any]]) -> set[str]:
    key = pattern.removeprefix("+").removesuffix("+")
    if key not in {task["task_key"] for task in tasks}:
        raise InvalidParameterValue(
            f"only names the task '{key:.100}', which the job does not have; "
            "write k, +k, k+ or +k+ for a task k."
        )
    upstream = ancestors(tasks, [key]) if pattern.startswith("+") else set()
    downstream = dependents(tasks, [key]) if pattern.endswith("+") else set()
    return {key} | upstream | downstream
