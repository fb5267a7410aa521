"""The iterations of a for-each task: https://docs.databricks.com/aws/en/jobs/for-each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_workspace.execution.attempt import Ending
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.run import TaskRun
from local_workspace.models.run_result import for_each_result
from local_workspace.store.task_runs import TaskRunStore

OPEN = (Phase.RUNNING, Phase.TERMINATING)
"""The phases of a for-each task in which its iterations exist and have not all ended."""


def open_iterations(task_runs: TaskRunStore, loop: TaskRun, inputs: Sequence[Any]) -> None:
    """One task run per input; in a repair the iterations that had succeeded with the same input are kept."""
    with task_runs.transaction():
        kept = _kept(task_runs, loop, inputs)
        for index, value in enumerate(inputs):
            if index not in kept:
                task_runs.add_iteration(loop, index, value)
        kept_ids = sorted(iteration.run_id for iteration in kept.values())
        task_runs.set_output(loop.run_id, {"total": len(inputs), "kept": kept_ids})


def _kept(task_runs: TaskRunStore, loop: TaskRun, inputs: Sequence[Any]) -> Mapping[int, TaskRun]:
    earlier = [
        t
        for t in task_runs.of_run(loop.job_run_id)
        if t.task_key == loop.task_key and t.run_id < loop.run_id and "total" in t.output
    ]
    if not earlier or earlier[-1].outcome is Outcome.SUCCESS:
        return {}
    latest = {t.iteration: t for t in task_runs.all_iterations(earlier[-1])}
    return {
        index: before
        for index, value in enumerate(inputs)
        if (before := latest.get(index))
        and before.outcome is Outcome.SUCCESS
        and before.input == value
    }


def step(task_runs: TaskRunStore, loop: TaskRun) -> Ending | None:
    """Lets iterations run, as many at once as `concurrency` says; how the loop ends once all have ended."""
    latest = task_runs.iteration_standings(loop).values()
    waiting = [t for t in latest if t.phase is Phase.BLOCKED]
    active = sum(t.is_active for t in latest) - len(waiting)
    free = int(loop.settings["for_each_task"].get("concurrency") or 1) - active
    for iteration in waiting[: max(0, free)]:
        task_runs.move(iteration.run_id, Phase.PENDING)
    if waiting or active:
        return None
    return Ending(for_each_result(list(latest)), loop.output)
