"""What a task's process says while it runs, and how its attempt ended by that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending
from local_workspace.execution.task_process import Exit
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import Termination
from local_workspace.paths import to_databricks


class TaskEvents:
    """Collects what a task's process says while it runs."""

    def __init__(self, attempt: Attempt, mounts: Path) -> None:
        self._attempt = attempt
        self._mounts = mounts
        self._end: dict[str, Any] | None = None
        self._cells: list[dict[str, Any]] = []
        self.sessions: list[dict[str, str]] = []
        """Spark sessions that the task has made."""

    def __call__(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "started":
                self._attempt.on_started()
            case "task_value":
                value = each_text(event["value"], lambda text: to_databricks(text, self._mounts))
                self._attempt.on_task_value(event["key"], value)
            case "session":
                self.sessions.append(
                    {name: event[name] for name in ("session_id", "user_id", "at")}
                )
            case "cell":
                self._cells.append({k: v for k, v in event.items() if k != "event"})
            case "succeeded" | "failed":
                self._end = event

    def ending(self, exit: Exit) -> Ending:
        output: dict[str, Any] = {"cells": self._cells} if self._cells else {}
        if self._end is None and exit.cause:
            return Ending(
                Termination(Outcome.INTERNAL_ERROR, "INTERNAL_ERROR", exit.cause),
                {**output, "error": exit.cause},
            )
        if self._end is None:
            error = f"The task's process ended with {exit} before the task had finished."
            if exit.signal == "SIGKILL":
                error += " The machine may have run out of memory."
            return Ending(WORKLOAD_FAILED, {**output, "error": error, "error_trace": ""})
        if self._end["event"] == "succeeded":
            result = self._end.get("result")
            return Ending(SUCCEEDED, {**output, **({} if result is None else {"result": result})})
        failure = {"error": self._end["error"], "error_trace": self._end["trace"]}
        return Ending(WORKLOAD_FAILED, {**output, **failure})


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The value with each of the texts in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: each_text(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [each_text(item, change) for item in value]
    return value
