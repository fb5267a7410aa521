"""`dbutils.notebook`: other notebooks as runs of their own, and the end of this one.

https://docs.databricks.com/notebooks/notebook-workflows
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Mapping
from typing import NoReturn

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run, RunResultState

from local_workspace.runtime.channel import Message
from local_workspace.runtime.notebook_context import EntryPoint, NotebookContext
from local_workspace.runtime.outputs import Sink, text_output
from local_workspace.runtime.utility import Utility

MAX_RESULT = 5 * 1024 * 1024
"""Characters that Databricks keeps of a notebook's result."""
_FIRST_POLL_SECONDS, _LAST_POLL_SECONDS = 0.02, 1.0


class NotebookExit(BaseException):
    """Ends a notebook early and well. Not an Exception, so that `except Exception` lets it pass."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class WorkflowException(Exception):
    """Another notebook's run did not succeed; the message begins as Databricks' does."""


class NotebookUtility(Utility):
    """Utilities for the control flow of a notebook."""

    _name = "dbutils.notebook"

    def __init__(self, spec: Message, sink: Sink) -> None:
        self._context = NotebookContext(spec)
        self._task_run_id = (spec.get("context") or {}).get("task_run_id")
        self._path: str | None = spec.get("name")
        self._sink = sink
        self.entry_point = EntryPoint(self._context)

    def getContext(self) -> NotebookContext:  # noqa: N802 - Databricks' name
        return self._context

    def exit(self, value: str) -> NoReturn:
        """End the notebook with a result."""
        # One more than is kept, so that the workspace sees that something is missing.
        raise NotebookExit(str(value)[: MAX_RESULT + 1])

    def run(
        self, path: str, timeout_seconds: int = 0, arguments: Mapping[str, str] | None = None
    ) -> str | None:
        """Run a notebook as an ephemeral job and return its exit value.

        `arguments` are its widgets' values. WorkflowException where the run does not succeed, or does not end within
        `timeout_seconds` (0: no limit).
        """
        request = {
            "task_run_id": self._task_run_id,
            "notebook_path": self._absolute(path),
            "timeout_seconds": timeout_seconds,
            "arguments": _texts(arguments or {}),
        }
        client = WorkspaceClient()
        started = client.api_client.do("POST", "/api/local/notebook-runs", body=request)
        assert isinstance(started, dict)
        run = client.jobs.get_run(started["run_id"])
        self._sink(text_output(f"Notebook job #{run.run_id}: {run.run_page_url}\n"))
        return _result(client, _ended(client, run))

    def _absolute(self, path: str) -> str:
        if path.startswith("/"):
            return path
        if self._path is None:
            raise ValueError(
                f"{path} is relative, but this task has no notebook; give a whole path."
            )
        return posixpath.normpath(posixpath.join(posixpath.dirname(self._path), path))


def _texts(arguments: Mapping[str, str]) -> dict[str, str]:
    for name, value in arguments.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"The arguments of a notebook are strings, got {name!r}: {value!r}; use str()."
            )
    return dict(arguments)


def _ended(client: WorkspaceClient, run: Run) -> Run:
    pause = _FIRST_POLL_SECONDS
    while not run.end_time:
        time.sleep(pause)
        pause = min(pause * 1.2, _LAST_POLL_SECONDS)
        run = client.jobs.get_run(_given(run.run_id))
    return run


def _result(client: WorkspaceClient, run: Run) -> str | None:
    state = _given(_given(run.tasks)[-1].state)
    output = client.jobs.get_run_output(_given(run.run_id))
    if state.result_state is RunResultState.SUCCESS:
        return output.notebook_output.result if output.notebook_output else None
    outcome = state.result_state.value if state.result_state else "FAILED"
    error = output.error if output.error != state.state_message else None
    about = ": ".join(filter(None, (outcome, state.state_message, error)))
    raise WorkflowException(
        f"com.databricks.WorkflowException: com.databricks.NotebookExecutionException: {about} "
        f"(Notebook job #{run.run_id}, {run.run_page_url})"
    )


def _given[T](value: T | None) -> T:
    """What the workspace always sends, although the SDK's types do not say so."""
    assert value is not None
    return value
