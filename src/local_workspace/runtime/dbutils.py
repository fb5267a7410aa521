"""`dbutils`, as far as a job needs it. https://docs.databricks.com/dev-tools/databricks-utils"""

from __future__ import annotations

import base64
from typing import NoReturn

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import SecretMetadata, SecretScope

from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.file_system import FileSystem
from local_workspace.runtime.notebook_runs import NotebookUtility
from local_workspace.runtime.outputs import Sink
from local_workspace.runtime.task_values import TaskValues
from local_workspace.runtime.utility import Utility
from local_workspace.runtime.widgets import Widgets


class PythonRestart(BaseException):
    """Ends the cell; the next one finds Python as the first one did."""


class LibraryUtility(Utility):
    """Utilities for the libraries of a notebook."""

    _name = "dbutils.library"

    def restartPython(self) -> NoReturn:  # noqa: N802 - Databricks' name
        """Forget all names and all modules that the notebook has imported."""
        raise PythonRestart


class SecretsUtility(Utility):
    """Utilities for secrets. Their values are redacted where a task's output is shown."""

    _name = "dbutils.secrets"

    def get(self, scope: str, key: str) -> str:
        """A secret as text."""
        return self.getBytes(scope, key).decode()

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - Databricks' name
        """A secret as bytes."""
        value = WorkspaceClient().secrets.get_secret(scope, key).value
        return base64.b64decode(value or "")

    def listScopes(self) -> list[SecretScope]:  # noqa: N802 - Databricks' name
        """All scopes."""
        return list(WorkspaceClient().secrets.list_scopes())

    def list(self, scope: str) -> list[SecretMetadata]:
        """The keys of a scope."""
        return list(WorkspaceClient().secrets.list_secrets(scope))


class JobsUtility(Utility):
    """Utilities for jobs: taskValues hands small values on to later tasks."""

    _name = "dbutils.jobs"

    def __init__(self, task_values: TaskValues) -> None:
        self.taskValues = task_values


class DBUtils(Utility):
    """Databricks utilities: fs, jobs, library, notebook, secrets, widgets. Each has a help() of its own."""

    _name = "dbutils"

    def __init__(self, spec: Message, channel: Channel, sink: Sink) -> None:
        context = spec.get("context") or {}
        task_key = context.get("task_key") if context.get("job_run_id") else None
        self.widgets = Widgets(spec.get("widgets") or {})
        self.notebook = NotebookUtility(spec, sink)
        self.jobs = JobsUtility(TaskValues(channel, task_key, spec.get("task_values") or {}))
        self.fs = FileSystem(spec.get("mounts"))
        self.library = LibraryUtility()
        self.secrets = SecretsUtility()
