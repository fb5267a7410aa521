"""How a run and a for-each task end, and whether an attempt is tried again: pure decisions over ended attempts.

Semantics: https://docs.databricks.com/api/workspace/jobs/getrun and
https://docs.databricks.com/aws/en/jobs/run-if#how-does-databricks-determine-job-run-status
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from local_workspace.models.graph import Task, run_outcome
from local_workspace.models.lifecycle import FAILURES, Outcome
from local_workspace.models.run import Standing, TaskRun, Termination

SUCCEEDED = Termination(Outcome.SUCCESS, "SUCCESS")
CANCELED = Termination(Outcome.CANCELED, "USER_CANCELED", "Run cancelled.")
TIMED_OUT = Termination(
    Outcome.TIMEDOUT, "CANCELED", "Timed out after the configured timeout_seconds."
)

_HOPELESS = frozenset({"INVALID_RUN_CONFIGURATION", "FEATURE_DISABLED"})
"""What the settings ask for cannot be had, so another attempt would end the same way."""


def may_retry(task_run: TaskRun, end: Termination) -> bool:
    """By `max_retries` (-1: without limit) and `retry_on_timeout`; conditions have no retries."""
    limit = task_run.settings.get("max_retries") or 0
    timed_out = end.outcome is Outcome.TIMEDOUT
    failed = end.outcome in (Outcome.FAILED, Outcome.INTERNAL_ERROR)
    wanted = failed or (timed_out and bool(task_run.settings.get("retry_on_timeout")))
    if end.code in _HOPELESS or task_run.kind == "condition_task":
        return False
    return wanted and (limit < 0 or task_run.attempt_number < limit)


def for_each_result(iterations: Collection[Standing]) -> Termination:
    """From the latest attempt of each iteration that this attempt of the for-each task ran."""
    failed = [t for t in iterations if t.outcome in FAILURES]
    if failed:
        message = f"{len(failed)} of the iterations failed; see their output."
        return Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", message)
    if any(t.outcome is Outcome.CANCELED for t in iterations):
        return CANCELED
    return SUCCEEDED


def run_result(tasks: Collection[Task], latest: Mapping[str, TaskRun]) -> Termination:
    """How a run ended that nobody stopped as a whole; the message is as measured on Databricks.

    A task that a repair does not know any more, because the job lost it, does not count.
    """
    keys = {task["task_key"] for task in tasks}
    latest = {key: t for key, t in latest.items() if key in keys}
    outcomes = {key: t.outcome for key, t in latest.items() if t.outcome is not None}
    outcome = run_outcome(tasks, outcomes)
    if outcome is Outcome.SUCCESS:
        return SUCCEEDED
    if outcome is Outcome.CANCELED:
        return CANCELED
    if outcome is Outcome.SUCCESS_WITH_FAILURES:
        return Termination(outcome, "SUCCESS_WITH_FAILURES")
    failed = [t for t in latest.values() if t.outcome in FAILURES]
    message = " ".join(_sentence(t) for t in failed)
    if {Outcome.UPSTREAM_FAILED, Outcome.UPSTREAM_CANCELED}.intersection(outcomes.values()):
        message += " This caused all downstream tasks to get skipped."
    codes = {t.code or "RUN_EXECUTION_ERROR" for t in failed}
    code = codes.pop() if len(codes) == 1 else "RUN_EXECUTION_ERROR"
    return Termination(Outcome.FAILED, code, message)


def _sentence(task_run: TaskRun) -> str:
    return f"Task {task_run.task_key} failed with message: {task_run.message.removesuffix('.')}."
