"""What a restart finds half-done."""

from __future__ import annotations

from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.run import Run, Termination
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore

LOST = Termination(
    Outcome.INTERNAL_ERROR,
    "INTERNAL_ERROR",
    "The local workspace ended while this was running. Repair the run to go on.",
)
NOT_REACHED = Termination(
    Outcome.UPSTREAM_FAILED, "SKIPPED", "The local workspace ended before this task could start."
)


def end_lost(runs: RunStore, task_runs: TaskRunStore, run: Run) -> None:
    """Ends a run of which something was executing; it can be repaired.

    What had been told to end ends as it was told: a person cancelled it, or its time was over, and neither is undone by
    a restart. A run all of whose tasks had ended stays as it is: its own end would have been next.
    """
    interrupted = task_runs.active(run.run_id)
    with runs.transaction():
        for task_run in interrupted:
            end = NOT_REACHED if task_run.phase is Phase.BLOCKED else LOST
            task_runs.end(task_run.run_id, task_run.intended or end)
        if interrupted:
            runs.end(run.run_id, run.intended or LOST)
