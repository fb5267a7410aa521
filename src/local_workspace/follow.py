"""Follows a run to its end and tells what happens on the way."""

from __future__ import annotations

import time
from collections.abc import Callable

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run, RunLifeCycleState

ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}


def follow(client: WorkspaceClient, run_id: int, tell: Callable[[str], None]) -> Run:
    """The run after its end; `tell` gets a line for each task run that ends, and what it says."""
    told: set[int] = set()
    while True:
        run = client.jobs.get_run(run_id)
        for task in run.tasks or ():
            if task.state and task.state.life_cycle_state in ENDED and task.run_id not in told:
                told.add(task.run_id or 0)
                result = task.state.result_state
                seconds = ((task.end_time or 0) - (task.start_time or task.end_time or 0)) / 1000
                tell(f"{task.task_key:<24} {result.value if result else '':<20} {seconds:6.1f} s")
                for line in _said(client, task.run_id or 0):
                    tell(f"  {line}")
        if run.state and run.state.life_cycle_state in ENDED:
            return run
        time.sleep(0.2)


def _said(client: WorkspaceClient, task_run_id: int) -> list[str]:
    """Why the task run failed, or what its notebook gave as its result."""
    output = client.jobs.get_run_output(task_run_id)
    result = output.notebook_output.result if output.notebook_output else None
    return (output.error or result or "").splitlines()
