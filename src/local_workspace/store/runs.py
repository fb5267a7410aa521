"""Runs, their executions, task runs and task values in SQLite. Each method is one transaction or joins the caller's."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from typing import Any

from local_workspace.errors import InvalidParameterValue, ResourceDoesNotExist
from local_workspace.models.lifecycle import Outcome, Phase, check_run, check_task
from local_workspace.models.run import Execution, Run, TaskRun, Termination
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now


class RunStore:
    def __init__(self, db: Database) -> None:
        self._db = db
        self.transaction = db.transaction

    # Runs

    def create(
        self,
        *,
        job_id: int,
        settings: dict[str, Any],
        request: dict[str, Any],
        run_type: str = "JOB_RUN",
        trigger: str = "ONE_TIME",
        caller_run_id: int | None = None,
        phase: Phase = Phase.PENDING,
    ) -> Run:
        with self.transaction():
            run_id = self._db.new_id()
            values = {
                "run_id": run_id,
                "job_id": job_id,
                "run_name": settings["name"],
                "run_type": run_type,
                "trigger": trigger,
                "caller_run_id": caller_run_id,
                "phase": phase,
                "created_time": now(),
                "start_time": now(),
            }
            self._db.insert("runs", values)
            self.add_execution(run_id, settings, request, repair_id=None)
            return self.get(run_id)

    def get(self, run_id: int) -> Run:
        row = self._db.one("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        if row is None:
            raise ResourceDoesNotExist(f"Run {run_id} does not exist.")
        return _run(row)

    def move(self, run_id: int, phase: Phase, **changes: Any) -> None:
        with self.transaction():
            check_run(self.get(run_id).phase, phase)
            self._db.update("runs", "run_id", run_id, {"phase": phase, **changes})

    def begin_end(self, run_id: int, end: Termination) -> None:
        """The run ends as `end` as soon as its processes have."""
        self.move(run_id, Phase.TERMINATING, **_ending(end))

    def end(self, run_id: int, end: Termination) -> None:
        """The run and its latest execution end together."""
        with self.transaction():
            check_run(self.get(run_id).phase, Phase.TERMINATED)
            changes = {"end_time": now(), **_ending(end)}
            self._db.update("runs", "run_id", run_id, {"phase": Phase.TERMINATED, **changes})
            self._db.execute(
                "UPDATE executions SET end_time = :end_time, outcome = :outcome, code = :code, "
                "message = :message WHERE run_id = :run_id AND end_time = 0",
                {**changes, "run_id": run_id},
            )

    def revive(self, run_id: int) -> None:
        """A repair: the same run is active again."""
        with self.transaction():
            self.move(run_id, Phase.PENDING)
            changes = {"outcome": None, "code": None, "message": "", "end_time": 0}
            self._db.update("runs", "run_id", run_id, changes)

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
        *,
        job_id: int | None,
        active: bool | None,
        run_type: str | None,
        start_from: int | None,
        start_to: int | None,
        offset: int,
        limit: int,
    ) -> list[Run]:
        """Up to `limit` runs from `offset` on, newest first."""
        rows = self._db.all(
            "SELECT * FROM runs WHERE (:job_id IS NULL OR job_id = :job_id) "
            "AND (:active IS NULL OR (phase <> 'TERMINATED') = :active) "
            "AND (:run_type IS NULL OR run_type = :run_type) "
            "AND (:start_from IS NULL OR start_time >= :start_from) "
            "AND (:start_to IS NULL OR start_time <= :start_to) "
            "ORDER BY start_time DESC, run_id DESC LIMIT :limit OFFSET :offset",
            {
                "job_id": job_id,
                "active": active,
                "run_type": run_type,
                "start_from": start_from,
                "start_to": start_to,
                "offset": offset,
                "limit": limit,
            },
        )
        return [_run(row) for row in rows]

    # Idempotency

    def run_of_token(self, token: str) -> int | None:
        """The run that a token started; an error if that run was deleted."""
        row = self._db.one("SELECT run_id FROM idempotency_tokens WHERE token = ?", (token,))
        if row is None:
            return None
        if self._db.one("SELECT 1 FROM runs WHERE run_id = ?", (row["run_id"],)) is None:
            raise InvalidParameterValue(
                f"The run {row['run_id']} of idempotency_token {token!r} was deleted; use a new token."
            )
        return int(row["run_id"])

    def reserve_token(self, token: str, run_id: int) -> None:
        self._db.insert("idempotency_tokens", {"token": token, "run_id": run_id})

    # Executions

    def add_execution(
        self, run_id: int, settings: dict[str, Any], request: dict[str, Any], repair_id: int | None
    ) -> Execution:
        with self.transaction():
            number = len(self.executions(run_id))
            values = {
                "run_id": run_id,
                "number": number,
                "repair_id": repair_id,
                "settings": json.dumps(settings),
                "request": json.dumps(request),
                "start_time": now(),
            }
            self._db.insert("executions", values)
            return self.latest_execution(run_id)

    def new_id(self) -> int:
        return self._db.new_id()

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

    # Task runs

    def add_task_run(
        self,
        *,
        job_run_id: int,
        execution: int,
        task_key: str,
        settings: dict[str, Any],
        phase: Phase = Phase.BLOCKED,
        for_each_run_id: int | None = None,
        iteration: int | None = None,
        input: Any = None,
        retry_of: TaskRun | None = None,
    ) -> int:
        with self.transaction():
            run_id = self._db.new_id()
            values = {
                "run_id": run_id,
                "job_run_id": job_run_id,
                "execution": execution,
                "task_key": task_key,
                "for_each_run_id": for_each_run_id,
                "iteration": iteration,
                "input": json.dumps(input),
                "attempt_number": retry_of.attempt_number + 1 if retry_of else 0,
                "original_attempt_run_id": retry_of.original_attempt_run_id if retry_of else run_id,
                "phase": phase,
                "created_time": max(now(), self._last_start(job_run_id, task_key) + 1),
                "settings": json.dumps(settings),
            }
            self._db.insert("task_runs", values)
            return run_id

    def _last_start(self, job_run_id: int, task_key: str) -> int:
        """Of the task's earlier attempts; Airflow takes the one with the greatest start time for the newest."""
        row = self._db.one(
            "SELECT max(max(start_time, created_time)) FROM task_runs "
            "WHERE job_run_id = ? AND task_key = ? AND for_each_run_id IS NULL",
            (job_run_id, task_key),
        )
        return 0 if row is None or row[0] is None else int(row[0])

    def task_run(self, run_id: int) -> TaskRun | None:
        row = self._db.one("SELECT * FROM task_runs WHERE run_id = ?", (run_id,))
        return None if row is None else _task_run(row)

    def existing_task_run(self, run_id: int) -> TaskRun:
        task_run = self.task_run(run_id)
        if task_run is None:
            raise ResourceDoesNotExist(f"Run {run_id} does not exist.")
        return task_run

    def task_runs(self, job_run_id: int) -> list[TaskRun]:
        """All attempts of the run's tasks, oldest first, without the iterations of for-each tasks."""
        rows = self._db.all(
            "SELECT * FROM task_runs WHERE job_run_id = ? AND for_each_run_id IS NULL ORDER BY run_id",
            (job_run_id,),
        )
        return [_task_run(row) for row in rows]

    def task_run_ids(self, job_run_id: int) -> list[int]:
        """Of all attempts and iterations of a run."""
        rows = self._db.all("SELECT run_id FROM task_runs WHERE job_run_id = ?", (job_run_id,))
        return [row["run_id"] for row in rows]

    def has_executed(self, job_run_id: int) -> bool:
        """Whether user code began in any attempt of the run."""
        query = "SELECT 1 FROM task_runs WHERE job_run_id = ? AND execution_time > 0 LIMIT 1"
        return self._db.one(query, (job_run_id,)) is not None

    def latest_task_runs(self, job_run_id: int) -> dict[str, TaskRun]:
        """The newest attempt of each task, by task key."""
        return {task_run.task_key: task_run for task_run in self.task_runs(job_run_id)}

    def iterations(self, for_each_run_id: int) -> list[TaskRun]:
        """All attempts of the iterations of one for-each task run, oldest first."""
        rows = self._db.all(
            "SELECT * FROM task_runs WHERE for_each_run_id = ? ORDER BY run_id", (for_each_run_id,)
        )
        return [_task_run(row) for row in rows]

    def all_iterations(self, for_each: TaskRun) -> list[TaskRun]:
        """As `iterations`, with those that an earlier attempt had finished and this one kept."""
        kept = [self.existing_task_run(run_id) for run_id in for_each.output.get("kept", ())]
        return kept + self.iterations(for_each.run_id)

    def active_task_runs(self, job_run_id: int) -> list[TaskRun]:
        """Attempts and iterations that have not ended."""
        rows = self._db.all(
            "SELECT * FROM task_runs WHERE job_run_id = ? AND phase <> 'TERMINATED' ORDER BY run_id",
            (job_run_id,),
        )
        return [_task_run(row) for row in rows]

    def move_task(self, run_id: int, phase: Phase, **changes: Any) -> None:
        """Change the phase, and with it times or the resolved parameters."""
        with self.transaction():
            check_task(self.existing_task_run(run_id).phase, phase)
            self._db.update("task_runs", "run_id", run_id, {"phase": phase, **_encoded(changes)})

    def end_task(self, run_id: int, end: Termination, output: dict[str, Any] | None = None) -> None:
        with self.transaction():
            check_task(self.existing_task_run(run_id).phase, Phase.TERMINATED)
            changes = {"phase": Phase.TERMINATED, "end_time": now(), **_ending(end)}
            if output is not None:
                changes["output"] = json.dumps(output)
            self._db.update("task_runs", "run_id", run_id, changes)

    def begin_end_task(self, run_id: int, end: Termination) -> None:
        """The attempt ends as `end` as soon as its process has."""
        self.move_task(run_id, Phase.TERMINATING, **_ending(end))

    def mark_started(self, run_id: int) -> None:
        """User code begins now: what came before was set-up."""
        with self.transaction():
            self._db.update("task_runs", "run_id", run_id, {"execution_time": now()})

    def set_output(self, run_id: int, output: dict[str, Any]) -> None:
        with self.transaction():
            self._db.update("task_runs", "run_id", run_id, {"output": json.dumps(output)})

    # Task values

    def set_task_value(self, job_run_id: int, task_key: str, key: str, value: Any) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO task_values VALUES (?, ?, ?, ?) "
                "ON CONFLICT (job_run_id, task_key, key) DO UPDATE SET value = excluded.value",
                (job_run_id, task_key, key, json.dumps(value)),
            )

    def task_values(self, job_run_id: int) -> dict[str, dict[str, Any]]:
        """task key -> key -> value"""
        values: dict[str, dict[str, Any]] = {}
        for row in self._db.all("SELECT * FROM task_values WHERE job_run_id = ?", (job_run_id,)):
            values.setdefault(row["task_key"], {})[row["key"]] = json.loads(row["value"])
        return values


def _ending(end: Termination) -> dict[str, Any]:
    return {"outcome": end.outcome, "code": end.code, "message": end.message}


_JSON_COLUMNS: Collection[str] = ("settings", "request", "resolved", "output", "input")


def _encoded(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(v) if name in _JSON_COLUMNS else v for name, v in changes.items()}


def _decoded(row: Row) -> dict[str, Any]:
    values = dict(row)
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = _parse(name, values[name])
    if "phase" in values:
        values["phase"] = Phase(values["phase"])
    values["outcome"] = Outcome(values["outcome"]) if values["outcome"] else None
    return values


def _parse(column: str, text: str) -> Any:
    if text == "null":
        return None
    if text == "{}":
        return {}
    return _settings(text) if column == "settings" else json.loads(text)


@functools.lru_cache(maxsize=4096)
def _settings(text: str) -> Any:
    """Settings never change once they are stored, and each step of a run reads those of all its tasks."""
    return json.loads(text)


def _run(row: Row) -> Run:
    return Run(**_decoded(row))


def _execution(row: Row) -> Execution:
    return Execution(**_decoded(row))


def _task_run(row: Row) -> TaskRun:
    return TaskRun(**_decoded(row))
