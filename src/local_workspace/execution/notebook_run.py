"""Runs that a task's code starts with `dbutils.notebook.run`.

https://docs.databricks.com/notebooks/notebook-workflows: an ephemeral job, which runs at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_workspace.errors import InvalidParameterValue, InvalidState
from local_workspace.models.lifecycle import Phase
from local_workspace.models.run import Execution, TaskRun
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore

MAX_DEPTH = 10
"""Of notebooks that run notebooks: one that runs itself would fill the machine with processes."""
_TASK_KEY = "notebook"
_LIBRARIES = ("libraries", "environment_key")


@dataclass(frozen=True)
class NotebookRequest:
    """`timeout_seconds` is 0 for no limit; `arguments` are values of widgets."""

    path: str
    timeout_seconds: int
    arguments: dict[str, str]


def settings_of(request: NotebookRequest, caller: TaskRun, execution: Execution) -> dict[str, Any]:
    """A run of the notebook alone, with the libraries of the task that asks for it."""
    notebook = {"notebook_path": request.path, "base_parameters": request.arguments}
    libraries = {name: caller.settings[name] for name in _LIBRARIES if name in caller.settings}
    return {
        "name": request.path,
        "timeout_seconds": request.timeout_seconds,
        "environments": execution.settings.get("environments") or [],
        "tasks": [{"task_key": _TASK_KEY, "notebook_task": notebook, **libraries}],
    }


def check_caller(runs: RunStore, task_runs: TaskRunStore, caller: TaskRun) -> None:
    """Refuses a caller that has ended, and one that is itself too deep down."""
    if caller.phase is not Phase.RUNNING:
        raise InvalidState(f"Task run {caller.run_id} does not run, so it cannot run a notebook.")
    depth, run = 1, runs.get(caller.job_run_id)
    while run.caller_run_id and (above := task_runs.find(run.caller_run_id)):
        depth, run = depth + 1, runs.get(above.job_run_id)
    if depth > MAX_DEPTH:
        raise InvalidParameterValue(
            f"Notebooks can run notebooks {MAX_DEPTH} deep in the local workspace."
        )
