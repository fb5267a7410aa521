"""What a task can ask about the run that it is part of."""
# ruff: noqa: N815 - the names are Databricks'.

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReplContext:
    """`workspaceUrl` is None because databricks-sdk would make it https; the host is in the environment."""

    jobId: str | None
    currentRunId: str | None
    taskKey: str | None
    notebookPath: str | None
    apiToken: str | None
    workspaceUrl: str | None = None
    isInJob: bool = True


_context: ReplContext | None = None


def get_context() -> ReplContext | None:
    return _context


def set_context(spec: dict[str, Any]) -> None:
    global _context
    run = spec.get("context") or {}
    _context = ReplContext(
        jobId=_text(run.get("job_id")),
        currentRunId=_text(run.get("task_run_id")),
        taskKey=run.get("task_key"),
        notebookPath=spec.get("name"),
        apiToken=os.environ.get("DATABRICKS_TOKEN"),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
