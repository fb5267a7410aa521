"""`dbutils`, as far as a job needs it. https://docs.databricks.com/dev-tools/databricks-utils"""

from __future__ import annotations

import base64
from typing import Any, NoReturn

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import SecretMetadata, SecretScope

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


class SecretsUtility:
    """Values are redacted where a task's output is shown."""

    def get(self, scope: str, key: str) -> str:
        return self.getBytes(scope, key).decode()

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - Databricks' name
        value = WorkspaceClient().secrets.get_secret(scope, key).value
        return base64.b64decode(value or "")

    def listScopes(self) -> list[SecretScope]:  # noqa: N802 - Databricks' name
        return list(WorkspaceClient().secrets.list_scopes())

    def list(self, scope: str) -> list[SecretMetadata]:
        return list(WorkspaceClient().secrets.list_secrets(scope))


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
        self.secrets = SecretsUtility()

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"dbutils.{name} is not available in the local workspace.")
