"""The log of a task's output, as it is shown: its end, without the values of secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from local_workspace.settings import StateDir

MAX_OUTPUT = 5 * 1024 * 1024
"""Databricks keeps the last 5 MB of a task's output."""


def hide_secrets(log: Path, redact: Callable[[str], str]) -> None:
    """Take the values of secrets out of a log for good, also of those that will be deleted."""
    written = log.read_bytes().decode(errors="surrogateescape") if log.exists() else ""
    hidden = redact(written)
    if hidden != written:
        log.write_bytes(hidden.encode(errors="surrogateescape"))


def read_log(state: StateDir, task_run_id: int, redact: Callable[[str], str]) -> tuple[str, bool]:
    """The end of a task's output, without secrets, and whether its beginning is left out."""
    log = state.task_logs / f"{task_run_id}.log"
    if not log.exists():
        return "", False
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(0, size - MAX_OUTPUT))
        return redact(file.read().decode(errors="replace")), size > MAX_OUTPUT
