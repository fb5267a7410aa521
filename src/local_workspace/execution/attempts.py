"""Attempts of tasks and of iterations, from their start to their end, and to the attempt after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_workspace.execution import for_each
from local_workspace.execution.attempt import (
    SUCCEEDED,
    Attempt,
    Ending,
    Execute,
    crashed,
    misconfigured,
)
from local_workspace.execution.running import RunningAttempts
from local_workspace.execution.timers import Timers
from local_workspace.models.condition import holds
from local_workspace.models.graph import ancestors
from local_workspace.models.lifecycle import Phase
from local_workspace.models.references import named_tasks
from local_workspace.models.run import Execution, Misconfigured, Run, TaskRun, Termination
from local_workspace.models.run_result import CANCELED, TIMED_OUT, may_retry
from local_workspace.models.task_settings import (
    effective_task,
    inputs_of,
    resolved_task,
    scope_of_run,
    scope_of_task,
)
from local_workspace.store.jobs import now
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore

Settings = dict[str, Any]
StartChild = Callable[[Run, TaskRun, Settings], int]
"""Starts the run that a run_job_task asks for, and gives its id; raises Misconfigured."""


class Attempts:
    """Conditions, loops and calls of other jobs happen here; everything else is executed."""

    def __init__(
        self,
        *,
        runs: RunStore,
        task_runs: TaskRunStore,
        timers: Timers,
        execute: Execute,
        host: Callable[[], str],
        start_child: StartChild,
        stop_run: Callable[[int, Termination], None],
        wake: Callable[[int], None],
    ) -> None:
        """`wake` is called with the run whose tasks may be able to go on."""
        self._runs = runs
        self._task_runs = task_runs
        self._timers = timers
        self._running = RunningAttempts(execute, self._finish_soon)
        self._host = host
        self._start_child = start_child
        self._stop_run = stop_run
        self._wake = wake
        self.abandon = self._running.abandon

    def start(self, task_run: TaskRun) -> None:
        run = self._runs.get(task_run.job_run_id)
        try:
            attempt = self._attempt(run, task_run)
            self._mark_running(run, attempt)
            ending = self._begin(run, attempt)
        except Misconfigured as error:
            ending = misconfigured(error)
        except Exception as error:
            ending = crashed(error)
        if ending is not None:
            self._finish_soon(task_run.run_id, ending)

    def _finish_soon(self, task_run_id: int, ending: Ending) -> None:
        """As a timer, which tries it again until it is stored."""
        self._timers.set(("finish", task_run_id), 0, lambda: self.finish(task_run_id, ending))

    def finish(self, task_run_id: int, ending: Ending) -> None:
        """An attempt has ended; perhaps another one follows."""
        task_run = self._task_runs.find(task_run_id)
        if task_run is None or not task_run.is_active:
            return
        end, output = ending.termination, ending.output
        if task_run.intended:
            end, output = task_run.intended, {**output, "error": task_run.intended.message}
        self._timers.cancel(("timeout", task_run_id))
        with self._runs.transaction():
            self._task_runs.end(task_run_id, end, output)
            if may_retry(task_run, end) and not self._is_stopping(task_run):
                self._retry_later(task_run)
        self._cancel_children(task_run_id)
        self._wake(task_run.job_run_id)

    def stop(self, task_run_id: int, end: Termination) -> None:
        """The attempt ends as `end`, at once where it has not started, else when all that it started has ended."""
        task_run = self._task_runs.get(task_run_id)
        if task_run.phase is Phase.RUNNING:
            self._task_runs.begin_end(task_run_id, end)
            self._running.cancel(task_run_id)
            self._cancel_children(task_run_id)
            for iteration in self._task_runs.iterations(task_run_id):
                self.stop(iteration.run_id, end)
        elif task_run.is_active and task_run.phase is not Phase.TERMINATING:
            self._task_runs.end(task_run_id, end)
        self._wake(task_run.job_run_id)

    def _cancel_children(self, task_run_id: int) -> None:
        for child in self._runs.active_children(task_run_id):
            self._stop_run(child, CANCELED)

    def _attempt(self, run: Run, task_run: TaskRun) -> Attempt:
        """With all references resolved; raises Misconfigured."""
        execution = self._runs.latest_execution(run.run_id)
        of_run = scope_of_run(run, execution, self._host())
        task = effective_task(task_run.settings, execution, dict(of_run.parameters))
        upstream = self._upstream(execution, task_run)
        values = self._task_runs.values.of_run(run.run_id)
        scope = scope_of_task(
            of_run,
            task_run,
            self._task_runs.latest(run.run_id, upstream & named_tasks(task)),
            self._task_runs.execution_counts(task_run),
            values,
        )
        environments = execution.settings.get("environments") or ()
        return Attempt(
            task_run=task_run,
            job_id=run.job_id,
            settings=resolved_task(task, scope),
            environments={item["environment_key"]: item for item in environments},
            task_values={key: values[key] for key in upstream & values.keys()},
            on_started=lambda: self._task_runs.mark_started(task_run.run_id),
            on_task_value=lambda key, value: self._task_runs.values.set(
                run.run_id, task_run.task_key, key, value
            ),
        )

    def _upstream(self, execution: Execution, task_run: TaskRun) -> set[str]:
        """The keys of all tasks before this one; of an iteration, before its for-each task."""
        loop = task_run.for_each_run_id
        task_key = self._task_runs.get(loop).task_key if loop else task_run.task_key
        return ancestors(execution.tasks, [task_key])

    def _mark_running(self, run: Run, attempt: Attempt) -> None:
        task_run, task_run_id = attempt.task_run, attempt.task_run.run_id
        with self._runs.transaction():
            if run.phase is Phase.PENDING:
                self._runs.move(run.run_id, Phase.RUNNING)
            started = max(now(), task_run.created_time)
            resolved = {"settings": attempt.settings}
            self._task_runs.move(task_run_id, Phase.RUNNING, start_time=started, resolved=resolved)
        if seconds := task_run.settings.get("timeout_seconds"):
            key = ("timeout", task_run_id)
            self._timers.set(key, seconds, lambda: self.stop(task_run_id, TIMED_OUT))

    def _begin(self, run: Run, attempt: Attempt) -> Ending | None:
        """How the attempt ended, where that is known at once; raises Misconfigured."""
        task_run, settings = attempt.task_run, attempt.settings
        match task_run.kind:
            case "condition_task":
                outcome = "true" if holds(settings["condition_task"]) else "false"
                return Ending(SUCCEEDED, {"outcome": outcome})
            case "for_each_task":
                inputs = inputs_of(settings["for_each_task"]["inputs"])
                for_each.open_iterations(self._task_runs, task_run, inputs)
                self._wake(run.run_id)
            case "run_job_task":
                child_run_id = self._start_child(run, task_run, settings["run_job_task"])
                self._task_runs.set_output(task_run.run_id, {"child_run_id": child_run_id})
            case _:
                self._running.start(attempt)
        return None

    def _is_stopping(self, task_run: TaskRun) -> bool:
        """Whether the run, or the loop, that it belongs to was told to stop."""
        if self._runs.get(task_run.job_run_id).phase is Phase.TERMINATING:
            return True
        loop = self._task_runs.find(task_run.for_each_run_id) if task_run.for_each_run_id else None
        return loop is not None and loop.phase is Phase.TERMINATING

    def _retry_later(self, failed: TaskRun) -> None:
        retry_id = self._task_runs.add_retry(failed)
        interval = (failed.settings.get("min_retry_interval_millis") or 0) / 1000
        rest = interval - (now() - failed.start_time) / 1000
        self._timers.set(("retry", retry_id), rest, lambda: self._retry(retry_id))

    def _retry(self, task_run_id: int) -> None:
        task_run = self._task_runs.find(task_run_id)
        if task_run is not None and task_run.phase is Phase.WAITING_FOR_RETRY:
            self._task_runs.move(task_run_id, Phase.PENDING)
            self._wake(task_run.job_run_id)
