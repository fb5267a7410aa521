"""`dbutils.jobs.taskValues`: small values that tasks of one run hand on.

https://docs.databricks.com/jobs/task-values
"""
# ruff: noqa: N803 - the names are Databricks'.

from __future__ import annotations

import json
from typing import Any

from local_workspace.runtime.channel import Channel
from local_workspace.runtime.utility import Utility

MAX_BYTES = 48 * 1024
"""Of one value as JSON."""


class TaskValues(Utility):
    """Small values that tasks of one run hand on.

    `known` are the values of the run's tasks when this one started, by task key and key.
    """

    _name = "dbutils.jobs.taskValues"

    def __init__(
        self, channel: Channel, task_key: str | None, known: dict[str, dict[str, Any]]
    ) -> None:
        self._channel = channel
        self._task_key = task_key
        self._known = known

    def set(self, key: str, value: Any) -> None:
        """Hand on a value; TypeError or ValueError unless it is JSON of at most 48 KiB."""
        if not isinstance(key, str):
            raise TypeError(f"The key of a task value must be a string, got {key!r}.")
        text = json.dumps(value, allow_nan=False)
        if len(text.encode()) > MAX_BYTES:
            raise ValueError(
                f"The task value {key!r} has {len(text.encode())} bytes as JSON; "
                f"the limit is {MAX_BYTES}. Write it to a table or a volume and hand on its name."
            )
        if self._task_key is None:
            return
        self._known.setdefault(self._task_key, {})[key] = json.loads(text)
        self._channel.send("task_value", key=key, value=json.loads(text))

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:
        """The value that task `taskKey` set, else `default`; ValueError without one.

        Outside of a job `debugValue`; TypeError without one.
        """
        if self._task_key is None:
            if debugValue is None:
                message = "Must pass debugValue when calling get outside of a job context."
                raise TypeError(f"{message} debugValue cannot be None.")
            return debugValue
        values = self._known.get(taskKey, {})
        if key in values:
            return values[key]
        if default is None:
            raise ValueError(
                f"No task value {key!r} of the task {taskKey!r} is known in this run. "
                "Set it in a task that this one depends on, or pass default."
            )
        return default
