"""`dbutils`, as far as a job needs it. https://docs.databricks.com/dev-tools/databricks-utils"""

from __future__ import annotations

from typing import Any, NoReturn

from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.file_system import FileSystem
from local_workspace.runtime.task_values import TaskValues
from local_workspace.runtime.widgets import Widgets


class NotebookExit(BaseException):
    """Ends a notebook early and well. Not an Exception, so that `except Exception` lets it pass."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class NotebookUtility:
    def exit(self, value: str) -> NoReturn:
        """End the notebook with a result."""
        raise NotebookExit(str(value))

    def run(self, path: str, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            f"dbutils.notebook.run({path!r}) is not available in the local workspace; "
            "make the notebook a task of the job, or include it with %run."
        )


class Secrets:
    def __getattr__(self, name: str) -> NoReturn:
        raise NotImplementedError(
            f"dbutils.secrets.{name} is not available in the local workspace; "
            "read an environment variable instead."
        )


class JobsUtility:
    def __init__(self, task_values: TaskValues) -> None:
        self.taskValues = task_values


class DBUtils:
    """AttributeError with a reason for the utilities that the local workspace has not."""

    def __init__(self, spec: Message, channel: Channel) -> None:
        context = spec.get("context") or {}
        task_key = context.get("task_key") if context.get("job_run_id") else None
        self.widgets = Widgets(spec.get("widgets") or {})
        self.notebook = NotebookUtility()
        self.jobs = JobsUtility(TaskValues(channel, task_key, spec.get("task_values") or {}))
        self.fs = FileSystem()
        self.secrets = Secrets()

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"dbutils.{name} is not available in the local workspace.")
