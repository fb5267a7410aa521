"""When a task may run and what its run comes to: pure decisions over the task graph.

Semantics: https://docs.databricks.com/aws/en/jobs/run-if and
https://docs.databricks.com/aws/en/jobs/disable-tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from local_workspace.models.lifecycle import FAILURES, Outcome

Task = Mapping[str, Any]
"""A task's settings, as the Jobs API has them."""

_FAILED = FAILURES | {Outcome.UPSTREAM_FAILED}
_CANCELED = frozenset({Outcome.CANCELED, Outcome.UPSTREAM_CANCELED})


@dataclass(frozen=True)
class Finished:
    """How a dependency ended; `branch` is "true" or "false" for a condition task."""

    outcome: Outcome
    branch: str | None = None


def dependencies(task: Task) -> list[str]:
    return [dependency["task_key"] for dependency in task.get("depends_on") or ()]


def dependents(tasks: Iterable[Task], keys: Collection[str]) -> set[str]:
    """The keys of all tasks that depend on `keys`, directly or not."""
    edges: dict[str, list[str]] = {}
    for task in tasks:
        for key in dependencies(task):
            edges.setdefault(key, []).append(task["task_key"])
    return _reached(edges, keys)


def ancestors(tasks: Iterable[Task], keys: Collection[str]) -> set[str]:
    """The keys of all tasks that `keys` depend on, directly or not."""
    return _reached({task["task_key"]: dependencies(task) for task in tasks}, keys)


def _reached(edges: Mapping[str, Iterable[str]], keys: Collection[str]) -> set[str]:
    found: set[str] = set()
    reached = set(keys)
    while reached:
        direct = {key for start in reached for key in edges.get(start, ())}
        reached = direct - found
        found |= direct
    return found


def cycle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys along one cycle of the graph, the first also at the end; empty where there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def decide(task: Task, finished: Mapping[str, Finished]) -> Outcome | None:
    """What becomes of a task all of whose dependencies have finished: None to run it, else its outcome.

    A dependency that is not part of the run (`only`) is absent from `finished` and counts as satisfied.
    """
    if task.get("disabled"):
        return Outcome.DISABLED
    upstream = [
        (dependency, finished[dependency["task_key"]])
        for dependency in task.get("depends_on") or ()
        if dependency["task_key"] in finished
    ]
    if not upstream:
        return None
    outcomes = [end.outcome for _, end in upstream]
    if all(outcome is Outcome.EXCLUDED for outcome in outcomes):
        return Outcome.EXCLUDED
    if any(_other_branch(dependency, end) for dependency, end in upstream):
        return Outcome.EXCLUDED
    return _RUN_IF[task.get("run_if") or "ALL_SUCCESS"](outcomes)


def _other_branch(dependency: Mapping[str, Any], end: Finished) -> bool:
    wanted = dependency.get("outcome")
    return bool(wanted) and end.outcome is Outcome.SUCCESS and end.branch != wanted


def _blocked_by(outcomes: Collection[Outcome]) -> Outcome:
    """The outcome of a task that its dependencies keep from running."""
    if _CANCELED.intersection(outcomes):
        return Outcome.UPSTREAM_CANCELED
    if _FAILED.intersection(outcomes):
        return Outcome.UPSTREAM_FAILED
    return Outcome.DISABLED


def _all_success(outcomes: Collection[Outcome]) -> Outcome | None:
    unmet = _CANCELED | _FAILED | {Outcome.DISABLED}
    return _blocked_by(outcomes) if unmet.intersection(outcomes) else None


def _at_least_one_success(outcomes: Collection[Outcome]) -> Outcome | None:
    return None if Outcome.SUCCESS in outcomes else _blocked_by(outcomes)


def _none_failed(outcomes: Collection[Outcome]) -> Outcome | None:
    if (_CANCELED | _FAILED).intersection(outcomes):
        return _blocked_by(outcomes)
    ran_or_skipped = {Outcome.SUCCESS, Outcome.EXCLUDED}
    return None if ran_or_skipped.intersection(outcomes) else Outcome.DISABLED


def _all_done(_: Collection[Outcome]) -> Outcome | None:
    return None


def _at_least_one_failed(outcomes: Collection[Outcome]) -> Outcome | None:
    return None if (_CANCELED | _FAILED).intersection(outcomes) else Outcome.EXCLUDED


def _all_failed(outcomes: Collection[Outcome]) -> Outcome | None:
    if Outcome.DISABLED in outcomes:
        return Outcome.DISABLED
    return None if set(outcomes) <= (_CANCELED | _FAILED) else Outcome.EXCLUDED


_RUN_IF = {
    "ALL_SUCCESS": _all_success,
    "AT_LEAST_ONE_SUCCESS": _at_least_one_success,
    "NONE_FAILED": _none_failed,
    "ALL_DONE": _all_done,
    "AT_LEAST_ONE_FAILED": _at_least_one_failed,
    "ALL_FAILED": _all_failed,
}
RUN_IF_VALUES = frozenset(_RUN_IF)


def run_outcome(tasks: Collection[Task], outcomes: Mapping[str, Outcome]) -> Outcome:
    """The result of a run from its leaves, when nobody cancelled it and it did not time out.

    https://docs.databricks.com/aws/en/jobs/run-if#how-does-databricks-determine-job-run-status
    """
    inner = {key for task in tasks for key in dependencies(task)}
    leaves = [outcome for key, outcome in outcomes.items() if key not in inner]
    if _FAILED.intersection(leaves):
        return Outcome.FAILED
    if _CANCELED.intersection(leaves):
        return Outcome.CANCELED
    if (_FAILED | _CANCELED).intersection(outcomes.values()):
        return Outcome.SUCCESS_WITH_FAILURES
    return Outcome.SUCCESS
