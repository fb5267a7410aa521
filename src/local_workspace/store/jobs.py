"""Jobs in SQLite."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from local_workspace.errors import ResourceDoesNotExist
from local_workspace.settings import USER_NAME
from local_workspace.store import keyset
from local_workspace.store.database import Database, Row

ORDER = ("job_id",)
"""What jobs are listed by, newest first."""


def now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Job:
    job_id: int
    settings: dict[str, Any]
    creator: str
    created_time: int


class JobStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, settings: dict[str, Any]) -> int:
        with self._db.transaction():
            job_id = self._db.new_id()
            values = {
                "job_id": job_id,
                "name": settings["name"],
                "settings": json.dumps(settings),
                "creator": USER_NAME,
                "created_time": now(),
            }
            self._db.insert("jobs", values)
        return job_id

    def replace(self, job_id: int, settings: dict[str, Any]) -> None:
        with self._db.transaction():
            self.get(job_id)
            changes = {"name": settings["name"], "settings": json.dumps(settings)}
            self._db.update("jobs", "job_id", job_id, changes)

    def delete(self, job_id: int) -> None:
        with self._db.transaction():
            self.get(job_id)
            self._db.update("jobs", "job_id", job_id, {"deleted_time": now()})

    def get(self, job_id: int) -> Job:
        row = self._db.one(
            "SELECT * FROM jobs WHERE job_id = ? AND deleted_time IS NULL", (job_id,)
        )
        if row is None:
            raise ResourceDoesNotExist(f"Job {job_id} does not exist.")
        return _job(row)

    def page(self, name: str | None, place: keyset.Place) -> keyset.Page[Job]:
        """Newest first; `name` matches whole, in any case."""
        query = (
            "SELECT * FROM jobs WHERE deleted_time IS NULL "
            "AND (:name IS NULL OR name = :name COLLATE NOCASE)"
        )
        return keyset.read(self._db, query, {"name": name}, ORDER, place, _job)


def _job(row: Row) -> Job:
    return Job(row["job_id"], json.loads(row["settings"]), row["creator"], row["created_time"])
