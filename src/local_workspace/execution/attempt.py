"""One attempt of a task, and how it ended: what the conductor hands over and gets back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import TaskRun, Termination
from local_workspace.models.run_result import SUCCEEDED as SUCCEEDED

Settings = dict[str, Any]
WORKLOAD_FAILED = Termination(
    Outcome.FAILED, "RUN_EXECUTION_ERROR", "Workload failed, see run output for details"
)


@dataclass(frozen=True)
class Attempt:
    """One attempt of a task: its settings with references resolved, and what the run knows at its start."""

    task_run: TaskRun
    job_id: int
    settings: Settings
    environments: dict[str, Settings]
    task_values: dict[str, dict[str, Any]]
    on_started: Callable[[], None]
    on_task_value: Callable[[str, Any], None]


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, and its output as it is stored."""

    termination: Termination
    output: dict[str, Any]


Execute = Callable[[Attempt], Awaitable[Ending]]
"""Runs an attempt to its end; cancelling the awaiting asyncio task ends the whole process tree."""
