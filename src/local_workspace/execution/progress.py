"""How far a run can go before something has to be started or ended: one transaction over its tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from local_workspace.execution import for_each
from local_workspace.execution.attempt import Ending
from local_workspace.models.graph import Finished, decide, dependencies
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.run import TaskRun, Termination
from local_workspace.store.task_runs import TaskRunStore


@dataclass(frozen=True)
class Progress:
    """`latest`: the newest attempt of each task. `ready`: attempts and iterations that can start now.

    `over`: the loops all of whose iterations have ended, by task run id, and how that ends them.
    """

    latest: Mapping[str, TaskRun]
    ready: list[TaskRun]
    over: Mapping[int, Ending]

    @property
    def is_done(self) -> bool:
        return not any(task_run.is_active for task_run in self.latest.values())


def advance(task_runs: TaskRunStore, run_id: int) -> Progress:
    """Decides each task whose dependencies have ended, and lets each loop take its next inputs."""
    over: dict[int, Ending] = {}
    with task_runs.transaction():
        latest = task_runs.latest(run_id)
        for key in _in_order(latest):
            task_run = latest[key]
            if task_run.phase is Phase.BLOCKED:
                latest[key] = _released(task_runs, task_run, latest)
            elif for_each.is_open(task_run) and (ending := for_each.step(task_runs, task_run)):
                over[task_run.run_id] = ending
        return Progress(latest, task_runs.pending(run_id), over)


def _in_order(latest: Mapping[str, TaskRun]) -> Iterator[str]:
    """The keys of the active tasks, dependencies first, so that what one leads to is decided in the same pass."""
    active = {key: dependencies(t.settings) for key, t in latest.items() if t.is_active}
    return (key for key in TopologicalSorter(active).static_order() if key in active)


def _released(task_runs: TaskRunStore, task_run: TaskRun, latest: Mapping[str, TaskRun]) -> TaskRun:
    """A blocked task whose dependencies have all ended becomes pending, or ends without having run."""
    upstream = {key: latest[key] for key in dependencies(task_run.settings) if key in latest}
    if any(up.is_active for up in upstream.values()):
        return task_run
    finished = {
        key: Finished(up.outcome, up.output.get("outcome"))
        for key, up in upstream.items()
        if up.outcome is not None
    }
    outcome = decide(task_run.settings, finished)
    if outcome is None:
        task_runs.move(task_run.run_id, Phase.PENDING)
    else:
        code = "DISABLED" if outcome is Outcome.DISABLED else "SKIPPED"
        task_runs.end(task_run.run_id, Termination(outcome, code))
    return task_runs.get(task_run.run_id)
