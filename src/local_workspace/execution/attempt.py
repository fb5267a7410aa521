"""One attempt of a task, and how it ended: what the conductor hands over and gets back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import TaskRun, Termination
from local_workspace.models.run_result import SUCCEEDED as SUCCEEDED

logger = logging.getLogger(__name__)

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


def misconfigured(error: Exception) -> Ending:
    """What the settings ask for cannot be had."""
    end = Termination(Outcome.FAILED, "INVALID_RUN_CONFIGURATION", str(error))
    return Ending(end, {"error": str(error)})


def crashed(error: Exception) -> Ending:
    """The workspace itself has failed, and no request can be the cause of that."""
    logger.error("an attempt could not be executed", exc_info=error)
    message = f"The local workspace failed: {error}"
    return Ending(
        Termination(Outcome.INTERNAL_ERROR, "INTERNAL_ERROR", message), {"error": message}
    )


Execute = Callable[[Attempt], Awaitable[Ending]]
"""Runs an attempt to its end; cancelling the awaiting asyncio task ends the whole process tree."""
