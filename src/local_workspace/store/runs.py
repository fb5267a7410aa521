"""Runs, their executions and idempotency tokens in SQLite. Each method is one transaction or joins the caller's."""

from __future__ import annotations

from typing import Any

from local_workspace.errors import InvalidParameterValue, ResourceDoesNotExist
from local_workspace.models.lifecycle import Phase, check_run
from local_workspace.models.run import Execution, Run, Termination
from local_workspace.store import keyset
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now
from local_workspace.store.run_rows import decoded, encoded, ending

ORDER = ("start_time", "run_id")
"""What runs are listed by, newest first."""


class RunStore:
    def __init__(self, db: Database) -> None:
        self._db = db
        self.transaction = db.transaction

    # Runs

    def create(
        self,
        *,
        job_id: int | None,
        settings: dict[str, Any],
        request: dict[str, Any],
        token: str | None,
        caller_run_id: int | None = None,
    ) -> Run:
        """A queued run of the job, or a one-time run where there is none; the token is its own for good.

        `caller_run_id` is the task run that asks for it.
        """
        with self.transaction():
            run_id = self._db.new_id()
            values = {
                "run_id": run_id,
                "job_id": job_id or self._db.new_id(),
                "run_name": settings["name"],
                "run_type": _run_type(job_id, caller_run_id),
                "trigger": "RUN_JOB_TASK" if job_id and caller_run_id else "ONE_TIME",
                "caller_run_id": caller_run_id,
                "phase": Phase.QUEUED,
                "created_time": now(),
                "start_time": now(),
            }
            self._db.insert("runs", values)
            if token:
                self._db.insert("idempotency_tokens", {"token": token, "run_id": run_id})
            self._add_execution(run_id, settings, request, repair_id=None)
            return self.get(run_id)

    def get(self, run_id: int) -> Run:
        row = self._db.one("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        if row is None:
            raise ResourceDoesNotExist(f"Run {run_id} does not exist.")
        return _run(row)

    def active_children(self, task_run_id: int) -> list[int]:
        """The runs that the task run has started and that have not ended."""
        rows = self._db.all(
            "SELECT run_id FROM runs WHERE caller_run_id = ? AND phase <> 'TERMINATED'",
            (task_run_id,),
        )
        return [row["run_id"] for row in rows]

    def move(self, run_id: int, phase: Phase, **changes: Any) -> None:
        with self.transaction():
            check_run(self.get(run_id).phase, phase)
            self._db.update("runs", "run_id", run_id, {"phase": phase, **changes})

    def begin_end(self, run_id: int, end: Termination) -> None:
        """The run ends as `end` as soon as its processes have."""
        self.move(run_id, Phase.TERMINATING, **ending(end))

    def end(self, run_id: int, end: Termination) -> None:
        """The run and its latest execution end together."""
        with self.transaction():
            check_run(self.get(run_id).phase, Phase.TERMINATED)
            changes = {"end_time": now(), **ending(end)}
            self._db.update("runs", "run_id", run_id, {"phase": Phase.TERMINATED, **changes})
            self._db.execute(
                "UPDATE executions SET end_time = :end_time, outcome = :outcome, code = :code, "
                "message = :message WHERE run_id = :run_id AND end_time = 0",
                {**changes, "run_id": run_id},
            )

    def revive(self, run_id: int, settings: dict[str, Any], request: dict[str, Any]) -> Execution:
        """A repair: the same run is active again."""
        with self.transaction():
            self.move(run_id, Phase.PENDING, outcome=None, code=None, message="", end_time=0)
            return self._add_execution(run_id, settings, request, repair_id=self._db.new_id())

    def delete(self, run_id: int) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

    def active(self, job_id: int | None = None) -> list[Run]:
        """Runs that have not ended, oldest first."""
        rows = self._db.all(
            "SELECT * FROM runs WHERE phase <> 'TERMINATED' AND (:job IS NULL OR job_id = :job) "
            "ORDER BY run_id",
            {"job": job_id},
        )
        return [_run(row) for row in rows]

    def count_running(self, job_id: int) -> int:
        """The job's active runs that have left the queue."""
        row = self._db.one(
            "SELECT count(*) FROM runs WHERE phase NOT IN ('TERMINATED', 'QUEUED') AND job_id = ?",
            (job_id,),
        )
        assert row is not None
        return int(row[0])

    def next_queued(self, job_id: int) -> Run | None:
        """The job's run that has waited longest."""
        row = self._db.one(
            "SELECT * FROM runs WHERE phase = 'QUEUED' AND job_id = ? ORDER BY run_id LIMIT 1",
            (job_id,),
        )
        return None if row is None else _run(row)

    def page(
        self,
        place: keyset.Place,
        *,
        job_id: int | None = None,
        active: bool | None = None,
        run_type: str | None = None,
        start_from: int | None = None,
        start_to: int | None = None,
    ) -> keyset.Page[Run]:
        """Newest start first."""
        query = (
            "SELECT * FROM runs WHERE (:job_id IS NULL OR job_id = :job_id) "
            "AND (:active IS NULL OR (phase <> 'TERMINATED') = :active) "
            "AND (:run_type IS NULL OR run_type = :run_type) "
            "AND (:start_from IS NULL OR start_time >= :start_from) "
            "AND (:start_to IS NULL OR start_time <= :start_to)"
        )
        values = {
            "job_id": job_id,
            "active": active,
            "run_type": run_type,
            "start_from": start_from,
            "start_to": start_to,
        }
        return keyset.read(self._db, query, values, ORDER, place, _run)

    # Idempotency tokens

    def run_of_token(self, token: str | None) -> Run | None:
        """The run that a token started; an error if that run was deleted."""
        row = self._db.one("SELECT run_id FROM idempotency_tokens WHERE token = ?", (token,))
        if row is None:
            return None
        try:
            return self.get(row["run_id"])
        except ResourceDoesNotExist:
            raise InvalidParameterValue(
                f"The run {row['run_id']} of idempotency_token {token!r} was deleted; use a new token."
            ) from None

    # Executions

    def _add_execution(
        self, run_id: int, settings: dict[str, Any], request: dict[str, Any], repair_id: int | None
    ) -> Execution:
        values = {
            "run_id": run_id,
            "number": len(self.executions(run_id)),
            "repair_id": repair_id,
            "settings": settings,
            "request": request,
            "start_time": now(),
        }
        self._db.insert("executions", encoded(values))
        return self.latest_execution(run_id)

    def executions(self, run_id: int) -> list[Execution]:
        rows = self._db.all("SELECT * FROM executions WHERE run_id = ? ORDER BY number", (run_id,))
        return [_execution(row) for row in rows]

    def latest_execution(self, run_id: int) -> Execution:
        row = self._db.one(
            "SELECT * FROM executions WHERE run_id = ? ORDER BY number DESC LIMIT 1", (run_id,)
        )
        assert row is not None, f"run {run_id} has no execution"
        return _execution(row)

    def latest_execution_of(self, run_id: int) -> Execution:
        """As `latest_execution`, for an id that a caller sent; raises ResourceDoesNotExist."""
        return self.latest_execution(self.get(run_id).run_id)


def _run(row: Row) -> Run:
    return Run(**decoded(dict(row)))


def _execution(row: Row) -> Execution:
    return Execution(**decoded(dict(row)))


def _run_type(job_id: int | None, caller_run_id: int | None) -> str:
    if job_id:
        return "JOB_RUN"
    return "WORKFLOW_RUN" if caller_run_id else "SUBMIT_RUN"
