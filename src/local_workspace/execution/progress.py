"""How far a run can go before something has to be started or ended: one transaction over its tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from local_workspace.execution import for_each
from local_workspace.execution.attempt import Ending
from local_workspace.models.graph import Finished, Task, decide, dependencies
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.run import Execution, Standing, TaskRun, Termination
from local_workspace.store.task_runs import TaskRunStore

AT_ONCE = 20
"""So many attempts are started before others have a turn: each takes a millisecond or two."""

Standings = dict[str, Standing]


@dataclass(frozen=True)
class Progress:
    """`ready`: attempts and iterations that can start now, AT_ONCE at most. `is_done`: all tasks have ended.

    `over`: the loops all of whose iterations have ended, by task run id, and how that ends them.
    """

    ready: list[TaskRun]
    over: Mapping[int, Ending]
    is_done: bool


def advance(task_runs: TaskRunStore, execution: Execution) -> Progress:
    """Decides each task whose dependencies have ended, and lets each loop take its next inputs."""
    over: dict[int, Ending] = {}
    with task_runs.transaction():
        standings = task_runs.standings(execution.run_id)
        _release(task_runs, execution, standings)
        for loop in _open_loops(task_runs, execution, standings):
            if ending := for_each.step(task_runs, loop):
                over[loop.run_id] = ending
        is_done = not any(standing.is_active for standing in standings.values())
        return Progress(task_runs.pending(execution.run_id, AT_ONCE), over, is_done)


def _open_loops(
    task_runs: TaskRunStore, execution: Execution, standings: Standings
) -> Iterator[TaskRun]:
    """The for-each tasks whose iterations exist and have not all ended."""
    for task in execution.tasks:
        standing = standings.get(task["task_key"])
        if task.get("for_each_task") and standing and standing.phase in for_each.OPEN:
            yield task_runs.get(standing.run_id)


def _release(task_runs: TaskRunStore, execution: Execution, standings: Standings) -> None:
    """What one decision leads to is decided too: a task that does not run has ended for those after it."""
    blocked = [task for task in execution.tasks if _is_blocked(task, standings)]
    ended = True
    while ended:
        ended = False
        for task in blocked:
            if _is_blocked(task, standings) and _is_decidable(task, standings):
                standing = standings[task["task_key"]] = _decided(task_runs, task, standings)
                ended = ended or not standing.is_active


def _is_blocked(task: Task, standings: Standings) -> bool:
    standing = standings.get(task["task_key"])
    return standing is not None and standing.phase is Phase.BLOCKED


def _is_decidable(task: Task, standings: Standings) -> bool:
    upstream = (standings.get(key) for key in dependencies(task))
    return not any(standing and standing.is_active for standing in upstream)


def _decided(task_runs: TaskRunStore, task: Task, standings: Standings) -> Standing:
    """The task becomes pending, or ends without having run."""
    run_id = standings[task["task_key"]].run_id
    outcome = decide(task, dict(_finished(task_runs, task, standings)))
    if outcome is None:
        task_runs.move(run_id, Phase.PENDING)
        return Standing(run_id, Phase.PENDING, None)
    code = "DISABLED" if outcome is Outcome.DISABLED else "SKIPPED"
    task_runs.end(run_id, Termination(outcome, code))
    return Standing(run_id, Phase.TERMINATED, outcome)


def _finished(
    task_runs: TaskRunStore, task: Task, standings: Standings
) -> Iterator[tuple[str, Finished]]:
    """How each dependency that is part of the run ended, with its branch where the task asks for one."""
    asked = {up["task_key"] for up in task.get("depends_on") or () if up.get("outcome")}
    for key in dependencies(task):
        standing = standings.get(key)
        if standing is not None and standing.outcome is not None:
            output = task_runs.get(standing.run_id).output if key in asked else {}
            yield key, Finished(standing.outcome, output.get("outcome"))
