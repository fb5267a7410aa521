"""What the workspace knows of a run: the run, what was asked of it, and one entry per attempt of a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.task_checks import TASK_KINDS


@dataclass(frozen=True)
class Termination:
    """How something ended: outcome, `termination_details.code` and a message for a person."""

    outcome: Outcome
    code: str
    message: str = ""


class Misconfigured(Exception):
    """What a task's settings ask for cannot be had, by any attempt: FAILED with INVALID_RUN_CONFIGURATION."""


class _Living:
    """What runs and task runs have in common."""

    phase: Phase
    outcome: Outcome | None
    code: str | None
    message: str

    @property
    def is_active(self) -> bool:
        return self.phase is not Phase.TERMINATED

    @property
    def intended(self) -> Termination | None:
        """How it ends, where it was told to stop and has not ended yet."""
        if self.phase is not Phase.TERMINATING or self.outcome is None:
            return None
        return Termination(self.outcome, self.code or "", self.message)


@dataclass(frozen=True)
class Run(_Living):
    """A job run. Times are epoch milliseconds, 0 while unknown."""

    run_id: int
    job_id: int
    run_name: str
    run_type: str
    trigger: str
    caller_run_id: int | None
    phase: Phase
    outcome: Outcome | None
    code: str | None
    message: str
    created_time: int
    start_time: int
    end_time: int


@dataclass(frozen=True)
class Execution:
    """The original run (number 0) or a repair of it, with the job settings and the request of that moment."""

    run_id: int
    number: int
    repair_id: int | None
    settings: dict[str, Any]
    request: dict[str, Any]
    start_time: int
    end_time: int
    outcome: Outcome | None
    code: str | None
    message: str

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The settings of the tasks that take part."""
        return list(self.settings.get("tasks") or ())

    @property
    def job_parameters(self) -> dict[str, str]:
        """Declared defaults under the values of the request, undeclared values included."""
        declared = {p["name"]: p.get("default", "") for p in self.settings.get("parameters") or ()}
        return {**declared, **(self.request.get("job_parameters") or {})}


@dataclass(frozen=True)
class Standing:
    """How far an attempt has come: as much as each step of a run has to know of all of them."""

    run_id: int
    phase: Phase
    outcome: Outcome | None

    @property
    def is_active(self) -> bool:
        return self.phase is not Phase.TERMINATED


@dataclass(frozen=True)
class TaskRun(_Living):
    """One attempt of a task, or of one iteration of a for-each task. Times are epoch milliseconds, 0 while unknown."""

    run_id: int
    job_run_id: int
    execution: int
    task_key: str
    for_each_run_id: int | None
    iteration: int | None
    input: Any
    attempt_number: int
    original_attempt_run_id: int
    phase: Phase
    outcome: Outcome | None
    code: str | None
    message: str
    created_time: int
    start_time: int
    execution_time: int
    end_time: int
    settings: dict[str, Any]
    resolved: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)

    @property
    def is_iteration(self) -> bool:
        return self.for_each_run_id is not None

    @property
    def kind(self) -> str:
        """The name of the settings field that says what the task does, e.g. `notebook_task`."""
        return next((name for name in self.settings if name in TASK_KINDS), "no task")
