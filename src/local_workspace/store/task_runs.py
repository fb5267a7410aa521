"""Attempts of tasks and iterations of for-each tasks in SQLite.

Each method is one transaction or joins the caller's.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from local_workspace.errors import ResourceDoesNotExist
from local_workspace.models.lifecycle import Outcome, Phase, check_task
from local_workspace.models.run import Execution, Standing, TaskRun, Termination
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now
from local_workspace.store.run_rows import decoded, encoded, ending
from local_workspace.store.task_values import TaskValueStore


class TaskRunStore:
    """`values` holds what the tasks hand on to each other."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.values = TaskValueStore(db)
        self.transaction = db.transaction

    # Reading

    def find(self, run_id: int) -> TaskRun | None:
        row = self._db.one(f"{_SELECT} WHERE run_id = ?", (run_id,))
        return None if row is None else _task_run(row)

    def get(self, run_id: int) -> TaskRun:
        task_run = self.find(run_id)
        if task_run is None:
            raise ResourceDoesNotExist(f"Run {run_id} does not exist.")
        return task_run

    def of_run(self, job_run_id: int) -> list[TaskRun]:
        """All attempts of the run's tasks, oldest first, without the iterations of for-each tasks."""
        return self._all(_OF_TASKS, job_run_id)

    def latest(self, job_run_id: int, keys: Collection[str] | None = None) -> dict[str, TaskRun]:
        """The newest attempt of each task, or of those in `keys`, by task key."""
        if keys is None:
            attempts = self.of_run(job_run_id)
        else:
            chosen = "task_key IN (SELECT value FROM json_each(?))"
            attempts = self._all(f"{_OF_TASKS} AND {chosen}", job_run_id, json.dumps(list(keys)))
        return {task_run.task_key: task_run for task_run in attempts}

    def standings(self, job_run_id: int) -> dict[str, Standing]:
        """How far the newest attempt of each task has come, by task key."""
        return {row["task_key"]: _standing(row) for row in self._rows(_OF_TASKS, job_run_id)}

    def iteration_standings(self, for_each: TaskRun) -> dict[int, Standing]:
        """How far the newest attempt of each iteration has come, by the iteration's number."""
        rows = self._rows(
            "job_run_id = ? AND for_each_run_id = ?", for_each.job_run_id, for_each.run_id
        )
        return {row["iteration"]: _standing(row) for row in rows}

    def active(self, job_run_id: int) -> list[TaskRun]:
        """Attempts and iterations that have not ended."""
        return self._all("job_run_id = ? AND phase <> 'TERMINATED'", job_run_id)

    def pending(self, job_run_id: int, limit: int) -> list[TaskRun]:
        """The `limit` oldest attempts and iterations that can be started."""
        rows = self._db.all(
            f"{_SELECT} WHERE job_run_id = ? AND phase = 'PENDING' ORDER BY run_id LIMIT ?",
            (job_run_id, limit),
        )
        return [_task_run(row) for row in rows]

    def iterations(self, for_each_run_id: int) -> list[TaskRun]:
        """All attempts of the iterations of one for-each task run, oldest first."""
        return self._all("for_each_run_id = ?", for_each_run_id)

    def all_iterations(self, for_each: TaskRun) -> list[TaskRun]:
        """As `iterations`, with those that an earlier attempt had finished and this one kept."""
        kept = [self.get(run_id) for run_id in for_each.output.get("kept", ())]
        return kept + self.iterations(for_each.run_id)

    def ids(self, job_run_id: int) -> list[int]:
        """Of all attempts and iterations of a run."""
        rows = self._db.all("SELECT run_id FROM task_runs WHERE job_run_id = ?", (job_run_id,))
        return [row["run_id"] for row in rows]

    def has_executed(self, job_run_id: int) -> bool:
        """Whether user code began in any attempt of the run, or of the runs that it has started."""
        query = (
            "WITH RECURSIVE family(run_id) AS (VALUES (?) UNION "
            "SELECT output ->> 'child_run_id' FROM family "
            "JOIN task_runs ON task_runs.job_run_id = family.run_id) "
            "SELECT 1 FROM family JOIN task_runs ON task_runs.job_run_id = family.run_id "
            "WHERE execution_time > 0 LIMIT 1"
        )
        return self._db.one(query, (job_run_id,)) is not None

    def execution_counts(self, task_run: TaskRun) -> dict[str, int]:
        """How often each task of the run was started, over all retries and repairs; `task_run` and its start included.

        For an iteration, its own key has the count of that iteration.
        """
        rows = self._db.all(
            "SELECT task_key, count(*) AS count FROM task_runs WHERE job_run_id = :job_run_id "
            "AND (start_time > 0 OR run_id = :run_id) "
            "AND (iteration IS NULL OR (task_key = :task_key AND iteration = :iteration)) "
            "GROUP BY task_key",
            {name: getattr(task_run, name) for name in _COUNTED_BY},
        )
        return {row["task_key"]: row["count"] for row in rows}

    def _all(self, condition: str, *values: int | str) -> list[TaskRun]:
        rows = self._db.all(f"{_SELECT} WHERE {condition} ORDER BY run_id", values)
        return [_task_run(row) for row in rows]

    def _rows(self, condition: str, *values: int) -> list[Row]:
        """Only what a standing needs, so that SQLite finds it in one index."""
        columns = "run_id, task_key, iteration, phase, outcome"
        return self._db.all(
            f"SELECT {columns} FROM task_runs WHERE {condition} ORDER BY run_id", values
        )

    # New attempts

    def add(self, execution: Execution, task: dict[str, Any]) -> int:
        """The first attempt of a task in the original run or in a repair."""
        return self._add(
            job_run_id=execution.run_id,
            execution=execution.number,
            task_key=task["task_key"],
            settings=task,
        )

    def add_iteration(self, for_each: TaskRun, index: int, value: Any) -> int:
        inner = for_each.settings["for_each_task"]["task"]
        return self._add(
            job_run_id=for_each.job_run_id,
            execution=for_each.execution,
            task_key=inner["task_key"],
            settings=inner,
            for_each_run_id=for_each.run_id,
            iteration=index,
            input=value,
        )

    def add_retry(self, failed: TaskRun) -> int:
        """Another attempt, that waits for its time."""
        return self._add(
            **{name: getattr(failed, name) for name in _KEPT_BY_A_RETRY},
            phase=Phase.WAITING_FOR_RETRY,
            attempt_number=failed.attempt_number + 1,
        )

    def _add(self, **values: Any) -> int:
        with self.transaction():
            run_id = self._db.new_id()
            first = {"original_attempt_run_id": run_id, "attempt_number": 0, "input": None}
            start = self._last_start(values["job_run_id"], values["task_key"]) + 1
            own = {"run_id": run_id, "created_time": max(now(), start)}
            row = {"phase": Phase.BLOCKED, **first, **values, **own}
            self._db.insert("task_runs", encoded(row))
            return run_id

    def _last_start(self, job_run_id: int, task_key: str) -> int:
        """Of the task's earlier attempts; Airflow takes the one with the greatest start time for the newest."""
        row = self._db.one(
            "SELECT max(max(start_time, created_time)) FROM task_runs "
            "WHERE job_run_id = ? AND task_key = ? AND for_each_run_id IS NULL",
            (job_run_id, task_key),
        )
        return 0 if row is None or row[0] is None else int(row[0])

    # Life

    def move(self, run_id: int, phase: Phase, **changes: Any) -> None:
        """Change the phase, and with it times or the resolved parameters."""
        with self.transaction():
            check_task(self.get(run_id).phase, phase)
            self._update(run_id, phase=phase, **changes)

    def begin_end(self, run_id: int, end: Termination) -> None:
        """The attempt ends as `end` as soon as its process has."""
        self.move(run_id, Phase.TERMINATING, **ending(end))

    def end(self, run_id: int, end: Termination, output: dict[str, Any] | None = None) -> None:
        changes = {} if output is None else {"output": output}
        self.move(run_id, Phase.TERMINATED, end_time=now(), **ending(end), **changes)

    def mark_started(self, run_id: int) -> None:
        """User code begins now: what came before was set-up."""
        self._update(run_id, execution_time=now())

    def set_output(self, run_id: int, output: dict[str, Any]) -> None:
        self._update(run_id, output=output)

    def _update(self, run_id: int, **changes: Any) -> None:
        with self.transaction():
            self._db.update("task_runs", "run_id", run_id, encoded(changes))


_COLUMNS = tuple(field.name for field in fields(TaskRun))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM task_runs"
_OF_TASKS = "job_run_id = ? AND for_each_run_id IS NULL"
_COUNTED_BY = ("job_run_id", "run_id", "task_key", "iteration")
_KEPT_BY_A_RETRY = (
    "job_run_id",
    "execution",
    "task_key",
    "settings",
    "for_each_run_id",
    "iteration",
    "input",
    "original_attempt_run_id",
)


def _standing(row: Row) -> Standing:
    outcome = row["outcome"]
    return Standing(row["run_id"], Phase(row["phase"]), Outcome(outcome) if outcome else None)


_LONG_OUTPUT = 10_000


def _task_run(row: Row) -> TaskRun:
    """Rows are read far more often than they change: each step of a run reads those of all its tasks."""
    values = tuple(row)
    return _made(values) if len(row["output"]) > _LONG_OUTPUT else _kept(values)


def _made(values: tuple[Any, ...]) -> TaskRun:
    return TaskRun(**decoded(dict(zip(_COLUMNS, values, strict=True))))


_kept = functools.lru_cache(maxsize=4096)(_made)
