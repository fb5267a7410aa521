"""Runs as the Jobs API shows them. Keys that have nothing to say are left out, never null: clients depend on it.

Shapes: https://docs.databricks.com/api/workspace/jobs/getrun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from local_workspace.models.lifecycle import FAILURES, NEVER_RAN, Outcome, Phase
from local_workspace.models.run import Execution, Run, TaskRun
from local_workspace.models.run_request import LEGACY_PARAMETERS
from local_workspace.settings import USER_NAME, WORKSPACE_ID

Json = dict[str, Any]

_SKIPPED = NEVER_RAN | {Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED}
_STATUS = {Phase.WAITING_FOR_RETRY: "WAITING"}
_TYPE = {
    "SUCCESS": "SUCCESS",
    "SUCCESS_WITH_FAILURES": "SUCCESS",
    "SKIPPED": "SUCCESS",
    "DISABLED": "SUCCESS",
    "INTERNAL_ERROR": "INTERNAL_ERROR",
    "CANCELED": "INTERNAL_ERROR",
    "DRIVER_ERROR": "INTERNAL_ERROR",
}
QUEUE_MESSAGE = "Queued due to reaching maximum concurrent runs of the job."


def run_state(run: Run | Execution) -> Json:
    """`state` of a job run or a repair; with a failed task INTERNAL_ERROR / FAILED, as measured on Databricks."""
    life_cycle = (
        "INTERNAL_ERROR" if run.outcome in (Outcome.FAILED, Outcome.INTERNAL_ERROR) else None
    )
    return _state(run, life_cycle)


def task_state(task_run: TaskRun) -> Json:
    life_cycle = "INTERNAL_ERROR" if task_run.outcome is Outcome.INTERNAL_ERROR else None
    return _state(task_run, life_cycle)


def _state(entry: Run | TaskRun | Execution, failed_life_cycle: str | None) -> Json:
    phase = _phase(entry)
    if phase is not Phase.TERMINATED or entry.outcome is None:
        state: Json = {"life_cycle_state": phase.value, "state_message": ""}
        if phase is Phase.QUEUED:
            state["queue_reason"] = QUEUE_MESSAGE
        return {**state, "user_cancelled_or_timedout": False}
    life_cycle = failed_life_cycle or ("SKIPPED" if entry.outcome in _SKIPPED else "TERMINATED")
    result = Outcome.FAILED if entry.outcome is Outcome.INTERNAL_ERROR else entry.outcome
    return {
        "life_cycle_state": life_cycle,
        "result_state": result.value,
        "state_message": entry.message,
        "user_cancelled_or_timedout": entry.outcome in (Outcome.CANCELED, Outcome.TIMEDOUT),
    }


def status(entry: Run | TaskRun | Execution) -> Json:
    """`status`, the newer form of `state`."""
    phase = _phase(entry)
    if phase is Phase.TERMINATED and entry.outcome is not None:
        code = entry.code or "INTERNAL_ERROR"
        details = {"code": code, "type": _TYPE.get(code, "CLIENT_ERROR"), "message": entry.message}
        return {"state": "TERMINATED", "termination_details": details}
    shown: Json = {"state": _STATUS.get(phase, phase.value)}
    if phase is Phase.QUEUED:
        shown["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": QUEUE_MESSAGE}
    return shown


def _phase(entry: Run | TaskRun | Execution) -> Phase:
    if isinstance(entry, Execution):
        return Phase.TERMINATED if entry.end_time else Phase.RUNNING
    return entry.phase


def run_page_url(host: str, job_id: int, run_id: int) -> str:
    """The form that the real service gives out; the Databricks CLI rewrites it to `/jobs/<job>/runs/<run>`."""
    return f"{host}/?o={WORKSPACE_ID}#job/{job_id}/run/{run_id}"


def job_run(run: Run, latest: Execution, host: str) -> Json:
    """A job run without its tasks; `latest` is the original execution or the newest repair."""
    view: Json = {
        "run_id": run.run_id,
        "job_id": run.job_id,
        "job_run_id": run.run_id,
        "number_in_job": run.run_id,
        "original_attempt_run_id": run.run_id,
        "attempt_number": 0,
        "run_name": run.run_name,
        "run_type": run.run_type,
        "run_page_url": run_page_url(host, run.job_id, run.run_id),
        "creator_user_name": USER_NAME,
        "trigger": run.trigger,
        "start_time": run.start_time,
        "end_time": run.end_time,
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "run_duration": max(0, run.end_time - run.start_time) if run.end_time else 0,
        "queue_duration": max(0, run.start_time - run.created_time),
        "format": "MULTI_TASK",
        "state": run_state(run),
        "status": status(run),
    }
    if run.caller_run_id:
        view["trigger_info"] = {"run_id": run.caller_run_id}
    for name in ("job_clusters", "git_source", "schedule", "description"):
        if latest.settings.get(name):
            view[name] = latest.settings[name]
    parameters = job_parameters(latest)
    if parameters:
        view["job_parameters"] = parameters
    overriding = {k: v for k, v in latest.request.items() if k in LEGACY_PARAMETERS}
    if overriding:
        view["overriding_parameters"] = overriding
    return view


def job_parameters(execution: Execution) -> list[Json]:
    """Declared parameters and undeclared overrides, sorted by name."""
    declared = {p["name"]: p.get("default", "") for p in execution.settings.get("parameters") or ()}
    sent = execution.request.get("job_parameters") or {}
    return [
        {
            "name": name,
            **({"default": declared[name]} if name in declared else {}),
            **({"value": sent[name]} if name in sent else {}),
        }
        for name in sorted(declared | sent)
    ]


def task_run(whole: Json, entry: Json, task_run: TaskRun) -> Json:
    """A task run by its own id: as the job run `whole`, with what its `entry` in `tasks[]` says of the task."""
    view = {**whole, **{name: entry[name] for name in entry if name in whole}}
    for name in ("queue_duration", "run_duration", "overriding_parameters"):
        view.pop(name, None)
    return {
        **view,
        "run_id": task_run.run_id,
        "job_run_id": task_run.job_run_id,
        "number_in_job": task_run.run_id,
        "original_attempt_run_id": task_run.original_attempt_run_id,
        "task_key": task_run.task_key,
        "tasks": [entry],
    }


def repair_history(
    run: Run, executions: Sequence[Execution], task_runs: Iterable[TaskRun]
) -> list[Json]:
    """The ORIGINAL item, which has no id, and one per repair; never empty. The last one is as the run is."""
    task_runs = list(task_runs)
    return [
        {
            "type": "REPAIR" if execution.repair_id else "ORIGINAL",
            **({"id": execution.repair_id} if execution.repair_id else {}),
            "start_time": execution.start_time,
            "end_time": execution.end_time,
            "state": run_state(run if execution is executions[-1] else execution),
            "status": status(run if execution is executions[-1] else execution),
            "task_run_ids": [t.run_id for t in task_runs if t.execution == execution.number],
        }
        for execution in executions
    ]


def task_entry(task_run: TaskRun, job_id: int, host: str) -> Json:
    """One item of `tasks[]` or `iterations[]`: the echo of the task's definition, its times and states."""
    view: Json = {
        "depends_on": [],
        **task_run.settings,
        "run_id": task_run.run_id,
        "task_key": task_run.task_key,
        "run_page_url": run_page_url(host, job_id, task_run.run_id),
        "attempt_number": task_run.attempt_number,
        "start_time": _sortable_start(task_run),
        "end_time": task_run.end_time,
        "setup_duration": _span(task_run.start_time, task_run.execution_time or task_run.end_time),
        "execution_duration": _span(task_run.execution_time, task_run.end_time),
        "cleanup_duration": 0,
        "state": task_state(task_run),
        "status": status(task_run),
    }
    branch = task_run.output.get("outcome")
    if branch is not None:
        view["condition_task"] = {**view["condition_task"], "outcome": branch}
    return view


_RESOLVED_FIELDS = {
    "condition_task": ("left", "right"),
    "notebook_task": ("base_parameters",),
    "python_wheel_task": ("named_parameters", "parameters"),
    "run_job_task": ("job_parameters", "parameters"),
    "spark_python_task": ("parameters",),
    "sql_task": ("parameters",),
}


def resolved_values(task_run: TaskRun) -> Json:
    """`resolved_values`: a task's parameters as it got them; empty before it started."""
    started = task_run.resolved.get("settings") or {}
    fields = _RESOLVED_FIELDS.get(task_run.kind, ())
    values = {
        name: started[task_run.kind][name]
        for name in fields
        if name in started.get(task_run.kind, ())
    }
    return {"resolved_values": {task_run.kind: values}} if values else {}


def for_each_stats(iterations: Sequence[TaskRun], total: int) -> Json:
    """`for_each_task.stats`; only the latest attempt of each iteration counts."""
    latest = {task_run.iteration: task_run for task_run in iterations}.values()
    failed = [t for t in latest if t.outcome in FAILURES]
    succeeded = [t for t in latest if t.outcome is Outcome.SUCCESS]
    active = [t for t in latest if t.phase not in (Phase.TERMINATED, Phase.BLOCKED)]
    stats: Json = {
        "task_run_stats": {
            "active_iterations": len(active),
            "completed_iterations": len(failed) + len(succeeded),
            "failed_iterations": len(failed),
            "scheduled_iterations": len(latest),
            "succeeded_iterations": len(succeeded),
            "total_iterations": total,
        }
    }
    messages: dict[str, Json] = {}
    for task_run in failed:
        text = task_run.output.get("error") or task_run.message
        entry = messages.setdefault(
            text, {"count": 0, "error_message": text, "termination_category": task_run.code}
        )
        entry["count"] += 1
    if messages:
        stats["error_message_stats"] = sorted(messages.values(), key=lambda m: -m["count"])[:3]
    return stats


def _sortable_start(task_run: TaskRun) -> int:
    """Airflow takes the newest attempt by start time, so one that waits after a repair or retry must not sort first."""
    waits_again = task_run.execution > 0 or task_run.attempt_number > 0
    return task_run.start_time or (task_run.created_time if waits_again else 0)


def _span(start: int, end: int) -> int:
    return max(0, end - start) if start and end else 0
