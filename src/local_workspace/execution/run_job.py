"""Tasks that run another job: https://docs.databricks.com/aws/en/jobs/run-job."""

from __future__ import annotations

from local_workspace.execution.attempt import SUCCEEDED, Ending
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.nesting import check_nesting
from local_workspace.models.run import Run, Termination
from local_workspace.models.run_result import CANCELED
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore

_SUCCESSES = (Outcome.SUCCESS, Outcome.SUCCESS_WITH_FAILURES)


def check_callers(runs: RunStore, task_runs: TaskRunStore, run: Run, job_id: int) -> None:
    """Refuses that a task of `run` starts the job, where that would go too deep or round in a circle."""
    callers = [run.job_id]
    while run.caller_run_id and (caller := task_runs.find(run.caller_run_id)):
        run = runs.get(caller.job_run_id)
        callers.append(run.job_id)
    check_nesting(job_id, callers)


def ending_of(child: Run) -> Ending:
    """How the end of the child run ends the task that started it."""
    output = {"child_run_id": child.run_id}
    if child.outcome in _SUCCESSES:
        return Ending(SUCCEEDED, output)
    message = f"Run {child.run_id} of job {child.job_id} ended {child.outcome}: {child.message}"
    failed = Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", message)
    end = CANCELED if child.outcome is Outcome.CANCELED else failed
    return Ending(end, {**output, "error": message})
