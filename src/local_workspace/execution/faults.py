"""Faults on demand, for tests and demos: a task fails, or an endpoint answers badly, the next n times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_workspace.errors import InvalidParameterValue

FAULTS = "/api/local/faults"


@dataclass
class Fault:
    """`task` (a task key) or `endpoint` (a path's beginning), what happens, and how many times more."""

    times: int = 1
    task: str = ""
    endpoint: str = ""
    message: str = "Fault injected by the local workspace."
    delay_seconds: float = 0.0
    status: int = 0
    error_code: str = ""
    """Of an endpoint's answer; where it is empty, the one that goes with the status."""
    drop: bool = False

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value}


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        if bool(fault.task) == bool(fault.endpoint):
            raise InvalidParameterValue("A fault needs exactly one of task and endpoint.")
        if fault.times < 1:
            raise InvalidParameterValue(f"times must be at least 1, got {fault.times}.")
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def __iter__(self) -> Any:
        return iter(self._faults)

    def for_task(self, task_key: str) -> Fault | None:
        """The next fault of a task, used up once."""
        return self._take(lambda fault: fault.task == task_key)

    def for_endpoint(self, path: str) -> Fault | None:
        """The next fault of an endpoint, used up once; those who remove faults meet none."""
        if path == FAULTS:
            return None
        return self._take(lambda fault: bool(fault.endpoint) and path.startswith(fault.endpoint))

    def _take(self, matches: Any) -> Fault | None:
        fault: Fault | None = next(filter(matches, self._faults), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times == 0:
            self._faults.remove(fault)
        return fault
