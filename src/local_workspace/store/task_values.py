"""The small values that the tasks of a run hand on, in SQLite."""

from __future__ import annotations

import json
from typing import Any

from local_workspace.store.database import Database


class TaskValueStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    def set(self, job_run_id: int, task_key: str, key: str, value: Any) -> None:
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO task_values VALUES (?, ?, ?, ?) "
                "ON CONFLICT (job_run_id, task_key, key) DO UPDATE SET value = excluded.value",
                (job_run_id, task_key, key, json.dumps(value)),
            )

    def of_run(self, job_run_id: int) -> dict[str, dict[str, Any]]:
        """task key -> key -> value"""
        values: dict[str, dict[str, Any]] = {}
        for row in self._db.all("SELECT * FROM task_values WHERE job_run_id = ?", (job_run_id,)):
            values.setdefault(row["task_key"], {})[row["key"]] = json.loads(row["value"])
        return values
