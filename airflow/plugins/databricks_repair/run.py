"""What became of a Databricks job run, and whether a repair can help it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airflow.providers.databricks.hooks.databricks import RunState


class FailureKind(StrEnum):
    """Why a run or a task run did not succeed, as far as it decides on a repair."""

    USER_CODE = "user_code"
    CLUSTER = "cluster"
    TIMEOUT = "timeout"
    QUOTA = "quota"
    CANCELLED = "cancelled"
    DEFINITION = "definition"
    NOT_STARTED = "not_started"


HEALABLE = (FailureKind.USER_CODE, FailureKind.CLUSTER, FailureKind.TIMEOUT, FailureKind.QUOTA)

# Termination codes: https://docs.databricks.com/api/workspace/jobs/getrun (status.termination_details.code).
# A code that is not listed counts as the cluster's, which a repair may heal.
_KIND_OF_CODE = {
    "RUN_EXECUTION_ERROR": FailureKind.USER_CODE,
    "SUCCESS_WITH_FAILURES": FailureKind.USER_CODE,
    "CANCELED": FailureKind.TIMEOUT,
    "WORKSPACE_RUN_LIMIT_EXCEEDED": FailureKind.QUOTA,
    "CLUSTER_REQUEST_LIMIT_EXCEEDED": FailureKind.QUOTA,
    "BUDGET_POLICY_LIMIT_EXCEEDED": FailureKind.QUOTA,
    "USER_CANCELED": FailureKind.CANCELLED,
    "CLUSTER_TERMINATED_BY_USER": FailureKind.CANCELLED,
    "INVALID_RUN_CONFIGURATION": FailureKind.DEFINITION,
    "INVALID_CLUSTER_REQUEST": FailureKind.DEFINITION,
    "RESOURCE_NOT_FOUND": FailureKind.DEFINITION,
    "UNAUTHORIZED_ERROR": FailureKind.DEFINITION,
    "FEATURE_DISABLED": FailureKind.DEFINITION,
    "BREAKING_CHANGE": FailureKind.DEFINITION,
    "DISABLED": FailureKind.DEFINITION,
    "SKIPPED": FailureKind.NOT_STARTED,
    "MAX_CONCURRENT_RUNS_EXCEEDED": FailureKind.NOT_STARTED,
    "MAX_JOB_QUEUE_SIZE_EXCEEDED": FailureKind.NOT_STARTED,
}
_KIND_OF_RESULT = {
    "FAILED": FailureKind.USER_CODE,
    "SUCCESS_WITH_FAILURES": FailureKind.USER_CODE,
    "TIMEDOUT": FailureKind.TIMEOUT,
    "CANCELED": FailureKind.CANCELLED,
    "MAXIMUM_CONCURRENT_RUNS_REACHED": FailureKind.NOT_STARTED,
}
_NOT_A_FAILURE = frozenset(
    {"SUCCESS", "EXCLUDED", "DISABLED", "UPSTREAM_FAILED", "UPSTREAM_CANCELED"}
)


@dataclass(frozen=True)
class FailedTask:
    """The latest attempt of a task that failed by itself, not because of one before it."""

    task_key: str
    run_id: int
    page_url: str
    kind: FailureKind
    message: str


@dataclass(frozen=True)
class JobRun:
    """One job run with its repairs, as `jobs/runs/get` with `include_history` tells it."""

    run_id: int
    page_url: str
    state: RunState
    end_time: datetime | None
    kind: FailureKind
    repair_ids: tuple[int, ...]
    repair_page_url: str | None
    """The first task run of the latest repair: a repair has no page of its own."""
    failed_tasks: tuple[FailedTask, ...]
    job_parameters: dict[str, str]
    is_active: bool

    @classmethod
    def from_response(cls, run: Mapping[str, Any]) -> JobRun:
        state = RunState(**run["state"])
        history = run.get("repair_history", [])
        repairs = [item for item in history if item.get("type") == "REPAIR"]
        return cls(
            run_id=run["run_id"],
            page_url=run["run_page_url"],
            state=state,
            end_time=_moment(run.get("end_time")),
            kind=_failure_kind(run),
            repair_ids=tuple(item["id"] for item in repairs),
            repair_page_url=_repair_page_url(run, repairs),
            failed_tasks=tuple(_failed_tasks(run.get("tasks", []))),
            job_parameters=parameter_values(run),
            is_active=not state.is_terminal or _has_active_repair(history),
        )

    @property
    def failure_kinds(self) -> frozenset[FailureKind]:
        """Of the tasks that failed; of the run itself where it was ended as a whole."""
        if self.kind is FailureKind.USER_CODE and self.failed_tasks:
            return frozenset(task.kind for task in self.failed_tasks)
        return frozenset({self.kind})

    def __str__(self) -> str:
        state = self.state
        told = [state.result_state or state.life_cycle_state, state.state_message]
        return f"run {self.run_id} ({': '.join(filter(None, told))}; {self.page_url})"


def parameter_values(run: Mapping[str, Any]) -> dict[str, str]:
    """The job parameters that a run was started with, from `jobs/runs/get` or `jobs/runs/list`."""
    return {
        parameter["name"]: parameter["value"]
        for parameter in run.get("job_parameters", [])
        if "value" in parameter
    }


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _has_active_repair(history: list[Mapping[str, Any]]) -> bool:
    """The run's own state may lag behind a repair that was accepted a moment ago."""
    if not history or "state" not in history[-1]:
        return False
    return not RunState(**history[-1]["state"]).is_terminal


def _repair_page_url(run: Mapping[str, Any], repairs: list[Mapping[str, Any]]) -> str | None:
    if not repairs:
        return None
    pages: dict[int, str | None] = {
        task["run_id"]: task.get("run_page_url") for task in run.get("tasks", [])
    }
    rerun = repairs[-1].get("task_run_ids", [])
    return next((page for run_id in rerun if (page := pages.get(run_id))), None)


def _failure_kind(run: Mapping[str, Any]) -> FailureKind:
    """From `status.termination_details`, and from the older `state` where a server sends none."""
    state = RunState(**run["state"])
    if state.result_state == "TIMEDOUT":
        return FailureKind.TIMEOUT
    if state.life_cycle_state == "SKIPPED":
        return FailureKind.NOT_STARTED
    code = run.get("status", {}).get("termination_details", {}).get("code")
    if code is not None:
        return _KIND_OF_CODE.get(code, FailureKind.CLUSTER)
    return _KIND_OF_RESULT.get(state.result_state, FailureKind.CLUSTER)


def latest_attempts(tasks: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The last entry of each task, by its key.

    `tasks` of a run has one entry per attempt, in no particular order; a repair adds entries.
    """
    return {task["task_key"]: task for task in sorted(tasks, key=_order_of_attempt)}


def _failed_tasks(tasks: list[Mapping[str, Any]]) -> list[FailedTask]:
    latest = latest_attempts(tasks)
    return [_failed_task(task) for task in latest.values() if _has_failed(task)]


def _order_of_attempt(task: Mapping[str, Any]) -> tuple[int, int]:
    return task.get("start_time", 0), task["run_id"]


def _has_failed(task: Mapping[str, Any]) -> bool:
    state = RunState(**task["state"])
    if state.life_cycle_state == "INTERNAL_ERROR":
        return True
    return state.life_cycle_state == "TERMINATED" and state.result_state not in _NOT_A_FAILURE


def _failed_task(task: Mapping[str, Any]) -> FailedTask:
    return FailedTask(
        task_key=task["task_key"],
        run_id=task["run_id"],
        page_url=task.get("run_page_url", ""),
        kind=_failure_kind(task),
        message=task["state"].get("state_message", ""),
    )
