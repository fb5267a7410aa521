"""Which tasks a repair runs again, and when a repair is refused.

Semantics: https://docs.databricks.com/api/workspace/jobs/repairrun and
https://docs.databricks.com/aws/en/jobs/repair-job-failures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_workspace.errors import InvalidParameterValue, InvalidState
from local_workspace.models.graph import Task, dependents
from local_workspace.models.lifecycle import NEVER_RAN, Outcome
from local_workspace.models.run import Execution, Run, TaskRun

_TO_REPAIR = frozenset(Outcome) - {Outcome.SUCCESS, Outcome.EXCLUDED, Outcome.DISABLED}


@dataclass(frozen=True)
class RepairRequest:
    rerun_tasks: Sequence[str] = ()
    rerun_all_failed_tasks: bool = False
    rerun_dependent_tasks: bool = False
    latest_repair_id: int | None = None


def check_repairable(
    request: RepairRequest, *, is_active: bool, was_skipped: bool, latest_repair_id: int | None
) -> None:
    """Refuses a repair of a run that is active or never ran, and one that does not know of the latest repair."""
    if is_active:
        raise InvalidState(
            "The run is still active; a run can be repaired only after it has ended."
        )
    if was_skipped:
        raise InvalidState("The run was skipped, so there is nothing to repair; start a new run.")
    if bool(request.rerun_tasks) == request.rerun_all_failed_tasks:
        raise InvalidParameterValue("Give exactly one of rerun_tasks and rerun_all_failed_tasks.")
    if latest_repair_id is not None and request.latest_repair_id is None:
        raise InvalidParameterValue(
            "The latest repair ID needs to be provided in order to create a new repair"
        )
    if latest_repair_id is None and request.latest_repair_id is not None:
        raise InvalidParameterValue(
            f"latest_repair_id is {request.latest_repair_id}, but the run has no repair yet; leave it out."
        )
    if request.latest_repair_id != latest_repair_id:
        raise InvalidParameterValue(
            f"latest_repair_id {request.latest_repair_id} is not the latest repair of the run, "
            f"which is {latest_repair_id}."
        )


def outcomes_to_repair(
    run: Run, execution: Execution, latest: Mapping[str, TaskRun]
) -> Mapping[str, Outcome]:
    """How each task ended. A run that was cancelled in the queue has no task runs: all its tasks were cancelled."""
    if not latest and run.outcome is not None:
        return {task["task_key"]: run.outcome for task in execution.tasks}
    return {key: t.outcome for key, t in latest.items() if t.outcome is not None}


def tasks_to_rerun(
    request: RepairRequest, tasks: Sequence[Task], outcomes: Mapping[str, Outcome]
) -> set[str]:
    """The task keys that get a new attempt; raises InvalidParameterValue where there is nothing to repair.

    `rerun_all_failed_tasks` selects what failed, timed out or was cancelled, and what did not run because of that.
    `rerun_dependent_tasks` adds all that depends on the selected tasks, also what had succeeded.
    """
    keys = {task["task_key"] for task in tasks}
    selected = _selected(request, keys, outcomes)
    if request.rerun_all_failed_tasks:
        skipped = {
            key for key, outcome in outcomes.items() if outcome in NEVER_RAN - {Outcome.DISABLED}
        }
        selected |= dependents(tasks, selected) & skipped
    if request.rerun_dependent_tasks:
        selected |= dependents(tasks, selected)
    if not selected:
        raise InvalidParameterValue("The run has no failed task to repair.")
    return selected


def _selected(request: RepairRequest, keys: set[str], outcomes: Mapping[str, Any]) -> set[str]:
    if request.rerun_all_failed_tasks:
        return {key for key, outcome in outcomes.items() if key in keys and outcome in _TO_REPAIR}
    if len(set(request.rerun_tasks)) != len(request.rerun_tasks):
        raise InvalidParameterValue("rerun_tasks cannot contain duplicate task keys.")
    unknown = sorted(set(request.rerun_tasks) - keys)
    if unknown:
        raise InvalidParameterValue(
            f"rerun_tasks names tasks that the job does not have: {', '.join(unknown)}."
        )
    return set(request.rerun_tasks)
