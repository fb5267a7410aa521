"""What `dbutils.notebook.entry_point.getDbutils().notebook().getContext()` gives: who runs, where and for what.

Databricks does not document it, yet many notebooks ask for their path or their run by it.
"""
# ruff: noqa: N802 - the names are Databricks'.

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_workspace.runtime.channel import Message


@dataclass(frozen=True)
class Option:
    """A value that may be missing, as Scala hands it over."""

    value: Any

    def get(self) -> Any:
        """The value; LookupError where there is none."""
        if self.value is None:
            raise LookupError("None.get")
        return self.value

    def getOrElse(self, default: Any) -> Any:
        return default if self.value is None else self.value

    def isDefined(self) -> bool:
        return self.value is not None

    def __str__(self) -> str:
        return "None" if self.value is None else f"Some({self.value})"


class Tags:
    def __init__(self, tags: Mapping[str, str]) -> None:
        self._tags = tags

    def get(self, name: str) -> Option:
        return Option(self._tags.get(name))

    def apply(self, name: str) -> str:
        """The tag's value; KeyError without one."""
        return self._tags[name]


class NotebookContext:
    """AttributeError with a reason for what the local workspace does not know."""

    def __init__(self, spec: Message) -> None:
        run = {name: str(value) for name, value in (spec.get("context") or {}).items()}
        path = spec.get("name")
        self._values: dict[str, Any] = {
            "notebookPath": path,
            "apiUrl": os.environ.get("DATABRICKS_HOST"),
            "apiToken": os.environ.get("DATABRICKS_TOKEN"),
            "workspaceId": os.environ.get("DATABRICKS_WORKSPACE_ID"),
            "userName": run.get("user_name"),
            "jobId": run.get("job_id"),
            "currentRunId": run.get("task_run_id"),
        }
        names = {
            "jobId": run.get("job_id"),
            "runId": run.get("task_run_id"),
            "multitaskParentRunId": run.get("job_run_id"),
            "taskKey": run.get("task_key"),
            "user": run.get("user_name"),
            "orgId": os.environ.get("DATABRICKS_WORKSPACE_ID"),
        }
        self._tags = {name: value for name, value in names.items() if value is not None}

    def tags(self) -> Tags:
        return Tags(self._tags)

    def toJson(self) -> str:
        """Without the token."""
        run_id = self._values["currentRunId"]
        path, url = self._values["notebookPath"], self._values["apiUrl"]
        current = None if run_id is None else {"id": int(run_id)}
        extra = {"notebook_path": path, "api_url": url}
        return json.dumps(
            {
                "rootRunId": current,
                "currentRunId": current,
                "jobGroup": None,
                "tags": self._tags,
                "extraContext": {name: value for name, value in extra.items() if value is not None},
            }
        )

    def safeToJson(self) -> str:
        return self.toJson()

    def __getattr__(self, name: str) -> Callable[[], Option]:
        if name not in self._values:
            raise AttributeError(f"The notebook's context has no {name} in the local workspace.")
        return lambda: Option(self._values[name])


class EntryPoint:
    """The chain of calls that leads to the context."""

    def __init__(self, context: NotebookContext) -> None:
        self._context = context

    def getDbutils(self) -> EntryPoint:
        return self

    def notebook(self) -> EntryPoint:
        return self

    def getContext(self) -> NotebookContext:
        return self._context
