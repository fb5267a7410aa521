"""Drives runs from their creation to their end: the models decide, the store persists, the executor executes.

Everything happens on the server's event loop. Each step of a run is one transaction; what it starts is started after
the commit, so a crash in between leaves a task that is known not to have run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from local_workspace.errors import InvalidParameterValue, InvalidState
from local_workspace.execution.attempt import SUCCEEDED, Attempt, Ending, Execute
from local_workspace.models import lifecycle
from local_workspace.models.graph import (
    Finished,
    ancestors,
    decide,
    dependencies,
    dependents,
    run_outcome,
)
from local_workspace.models.job_settings import checked
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.references import Scope, UnknownReference, resolve
from local_workspace.models.repair import RepairRequest, check_repairable, tasks_to_rerun
from local_workspace.models.run import Execution, Run, TaskRun, Termination
from local_workspace.models.task_settings import (
    condition,
    effective_task,
    inputs_of,
    scope_of_run,
    scope_of_task,
)
from local_workspace.store.jobs import JobStore, now
from local_workspace.store.runs import RunStore

logger = logging.getLogger(__name__)

CANCELED = Termination(Outcome.CANCELED, "USER_CANCELED", "Run cancelled.")
TIMED_OUT = Termination(
    Outcome.TIMEDOUT, "CANCELED", "Timed out after the configured timeout_seconds."
)
LOST = Termination(
    Outcome.INTERNAL_ERROR,
    "INTERNAL_ERROR",
    "The local workspace ended while this was running. Repair the run to go on.",
)
NOT_REACHED = Termination(
    Outcome.UPSTREAM_FAILED, "SKIPPED", "The local workspace ended before this task could start."
)


class Conductor:
    def __init__(
        self, *, jobs: JobStore, runs: RunStore, execute: Execute, host: Callable[[], str]
    ) -> None:
        self._jobs = jobs
        self._runs = runs
        self._execute_attempt = execute
        self._host = host
        self._executing: dict[int, asyncio.Task[Ending]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    # Requests

    def run_now(
        self,
        job_id: int,
        request: dict[str, Any],
        *,
        token: str | None = None,
        caller_run_id: int | None = None,
    ) -> Run:
        """A new run of the job, or the run that the token started before."""
        with self._runs.transaction():
            known = self._runs.run_of_token(token) if token else None
            if known is not None:
                return self._runs.get(known)
            settings = _only(self._jobs.get(job_id).settings, request.get("only") or [])
            run = self._runs.create(
                job_id=job_id,
                settings=settings,
                request=request,
                trigger="RUN_JOB_TASK" if caller_run_id else "ONE_TIME",
                caller_run_id=caller_run_id,
                phase=Phase.QUEUED,
            )
            if token:
                self._runs.reserve_token(token, run.run_id)
            self._admit_or_queue(run, settings, request)
        self._advance(run.run_id)
        return run

    def submit(self, settings: dict[str, Any], *, token: str | None = None) -> Run:
        """A one-time run of tasks that belong to no job."""
        with self._runs.transaction():
            known = self._runs.run_of_token(token) if token else None
            if known is not None:
                return self._runs.get(known)
            run = self._runs.create(
                job_id=self._runs.new_id(),
                settings=checked(settings),
                request={},
                run_type="SUBMIT_RUN",
                phase=Phase.QUEUED,
            )
            if token:
                self._runs.reserve_token(token, run.run_id)
            self._admit(run.run_id)
        self._advance(run.run_id)
        return run

    def repair(self, run_id: int, repair: RepairRequest, request: dict[str, Any]) -> int:
        """The id of a new repair; the same run is active again before this returns."""
        with self._runs.transaction():
            run = self._runs.get(run_id)
            latest = self._runs.latest_execution(run_id)
            check_repairable(repair, is_active=run.is_active, latest_repair_id=latest.repair_id)
            settings = self._settings_for_repair(run, latest)
            task_runs = self._runs.latest_task_runs(run_id)
            outcomes = {key: t.outcome for key, t in task_runs.items() if t.outcome is not None}
            rerun = tasks_to_rerun(repair, settings.get("tasks") or [], outcomes)
            repair_id = self._runs.new_id()
            self._runs.revive(run_id)
            execution = self._runs.add_execution(run_id, settings, request, repair_id)
            for task in execution.tasks:
                if task["task_key"] in rerun:
                    self._add_task(execution, task)
        self._advance(run_id)
        return repair_id

    def cancel(self, run_id: int) -> None:
        """Ends a run, or one task run of it; a run that has ended keeps its outcome."""
        task_run = self._runs.task_run(run_id)
        if task_run is None:
            self._stop(self._runs.get(run_id), CANCELED)
        elif task_run.is_active:
            self._stop_task(task_run.run_id, CANCELED)
            self._advance(task_run.job_run_id)

    def delete(self, run_id: int) -> None:
        run = self._runs.get(run_id)
        if run.is_active:
            raise InvalidState(f"Run {run_id} is still active; cancel it before deleting it.")
        self._runs.delete(run_id)

    def recover(self) -> None:
        """After a restart: what was executing has failed and can be repaired; what was queued goes on."""
        for run in self._runs.active():
            if run.phase is Phase.QUEUED:
                continue
            with self._runs.transaction():
                for task_run in self._runs.active_task_runs(run.run_id):
                    reached = task_run.phase not in (Phase.BLOCKED, Phase.WAITING_FOR_RETRY)
                    self._runs.end_task(task_run.run_id, LOST if reached else NOT_REACHED)
                self._runs.end(run.run_id, LOST)
        for run in self._runs.active():
            self._admit_next(run.job_id)

    async def stop(self) -> None:
        """Ends all task processes; their runs are found and ended by `recover` at the next start."""
        for timer in self._timers.values():
            timer.cancel()
        executing = list(self._executing.values())
        self._executing.clear()
        for task in executing:
            task.cancel()
        await asyncio.gather(*executing, return_exceptions=True)

    # Queue

    def _admit_or_queue(
        self, run: Run, settings: Mapping[str, Any], request: Mapping[str, Any]
    ) -> None:
        limit = settings["max_concurrent_runs"]
        if self._running(run.job_id) < limit:
            self._admit(run.run_id)
            return
        queue = request.get("queue") or settings.get("queue") or {"enabled": True}
        if limit == 0 or not queue.get("enabled"):
            message = f"Skipping this run because the limit of {limit} maximum concurrent runs has been reached."
            end = Termination(
                Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED, "MAX_CONCURRENT_RUNS_EXCEEDED", message
            )
            self._runs.end(run.run_id, end)

    def _running(self, job_id: int) -> int:
        return sum(run.phase is not Phase.QUEUED for run in self._runs.active(job_id))

    def _admit(self, run_id: int) -> None:
        """A run leaves the queue: its tasks exist from now on."""
        self._runs.move(run_id, Phase.PENDING, start_time=now())
        execution = self._runs.latest_execution(run_id)
        for task in execution.tasks:
            self._add_task(execution, task)
        timeout = execution.settings.get("timeout_seconds")
        if timeout:
            self._later(run_id, timeout, lambda: self._stop(self._runs.get(run_id), TIMED_OUT))

    def _admit_next(self, job_id: int) -> None:
        """Queued runs of the job start, oldest first, as far as its limit allows."""
        for run in self._runs.active(job_id):
            limit = self._runs.latest_execution(run.run_id).settings["max_concurrent_runs"]
            if run.phase is Phase.QUEUED and self._running(job_id) < limit:
                with self._runs.transaction():
                    self._admit(run.run_id)
                self._advance(run.run_id)

    def _add_task(self, execution: Execution, task: dict[str, Any]) -> None:
        self._runs.add_task_run(
            job_run_id=execution.run_id,
            execution=execution.number,
            task_key=task["task_key"],
            settings=task,
        )

    def _settings_for_repair(self, run: Run, latest: Execution) -> dict[str, Any]:
        """A repair takes the job's current settings; those of a one-time run are the ones it was submitted with."""
        if run.run_type != "JOB_RUN":
            return latest.settings
        only = latest.request.get("only") or []
        return _only(self._jobs.get(run.job_id).settings, only)

    # Progress

    def _advance(self, run_id: int) -> None:
        """Takes the run as far as it can go now, then starts what became ready."""
        with self._runs.transaction():
            while self._step(run_id):
                pass
        # Starting one task may end it and with that start others, so the list is read anew each time.
        while ready := self._ready(run_id):
            self._start(ready)
        run = self._runs.get(run_id)
        if not run.is_active:
            self._ended(run)

    def _ready(self, run_id: int) -> TaskRun | None:
        active = self._runs.active_task_runs(run_id)
        return next((t for t in active if t.phase is Phase.PENDING), None)

    def _step(self, run_id: int) -> bool:
        """One round over the run's tasks; True when something changed that may let others go on."""
        run = self._runs.get(run_id)
        if run.phase in (Phase.QUEUED, Phase.TERMINATED):
            return False
        execution = self._runs.latest_execution(run_id)
        latest = self._runs.latest_task_runs(run_id)
        changed = [self._step_task(task_run, latest) for task_run in latest.values()]
        if any(changed):
            return True
        if all(not task_run.is_active for task_run in latest.values()):
            self._end_run(run, execution, latest)
        return False

    def _step_task(self, task_run: TaskRun, latest: Mapping[str, TaskRun]) -> bool:
        if task_run.phase is Phase.BLOCKED:
            return self._release(task_run, latest)
        if task_run.is_active and task_run.kind == "for_each_task":
            return self._step_for_each(task_run)
        return False

    def _release(self, task_run: TaskRun, latest: Mapping[str, TaskRun]) -> bool:
        """A blocked task whose dependencies have all ended becomes pending, or ends without having run."""
        upstream = {key: latest[key] for key in dependencies(task_run.settings) if key in latest}
        if any(up.is_active for up in upstream.values()):
            return False
        finished = {
            key: Finished(up.outcome, up.output.get("outcome"))
            for key, up in upstream.items()
            if up.outcome is not None
        }
        outcome = decide(task_run.settings, finished)
        if outcome is None:
            self._runs.move_task(task_run.run_id, Phase.PENDING)
        else:
            code = "DISABLED" if outcome is Outcome.DISABLED else "SKIPPED"
            self._runs.end_task(task_run.run_id, Termination(outcome, code))
        return True

    def _end_run(self, run: Run, execution: Execution, latest: Mapping[str, TaskRun]) -> None:
        outcomes = {key: task_run.outcome for key, task_run in latest.items() if task_run.outcome}
        self._runs.end(run.run_id, _intended(run) or _result(execution, outcomes, latest))

    def _ended(self, run: Run) -> None:
        timer = self._timers.pop(run.run_id, None)
        if timer:
            timer.cancel()
        if run.caller_run_id:
            self._child_ended(run.caller_run_id, run)
        self._admit_next(run.job_id)

    # Tasks

    def _start(self, task_run: TaskRun) -> None:
        run = self._runs.get(task_run.job_run_id)
        execution = self._runs.latest_execution(run.run_id)
        try:
            scope, settings = self._resolved(run, execution, task_run)
        except UnknownReference as error:
            end = Termination(Outcome.FAILED, "INVALID_RUN_CONFIGURATION", str(error))
            self._finish(task_run, Ending(end, {"error": str(error)}))
            return
        with self._runs.transaction():
            if run.phase is Phase.PENDING:
                self._runs.move(run.run_id, Phase.RUNNING)
            self._runs.move_task(
                task_run.run_id, Phase.RUNNING, start_time=now(), resolved={"settings": settings}
            )
        task_run = self._runs.existing_task_run(task_run.run_id)
        match task_run.kind:
            case "condition_task":
                self._finish(task_run, _evaluate(settings["condition_task"]))
            case "for_each_task":
                self._open_for_each(task_run, settings["for_each_task"]["inputs"])
            case "run_job_task":
                self._start_child(task_run, settings["run_job_task"])
            case _:
                self._execute(run, execution, task_run, settings, scope)

    def _resolved(
        self, run: Run, execution: Execution, task_run: TaskRun
    ) -> tuple[Scope, dict[str, Any]]:
        run_scope = scope_of_run(run, execution, self._host())
        every_attempt = self._runs.task_runs(run.run_id)
        latest = {attempt.task_key: attempt for attempt in every_attempt}
        counts = {key: sum(t.task_key == key for t in every_attempt) for key in latest}
        if task_run.for_each_run_id is not None:
            counts[task_run.task_key] = sum(
                t.iteration == task_run.iteration
                for t in self._runs.iterations(task_run.for_each_run_id)
            )
        values = self._runs.task_values(run.run_id)
        scope = scope_of_task(run_scope, task_run, execution, latest, counts, values)
        task = effective_task(task_run.settings, execution, dict(run_scope.parameters))
        inner = (task.get("for_each_task") or {}).get("task")
        settings = resolve({k: v for k, v in task.items() if k != "for_each_task"}, scope)
        if inner is not None:
            # The inner task's references are resolved per iteration.
            inputs = resolve(task["for_each_task"]["inputs"], scope)
            settings["for_each_task"] = {**task["for_each_task"], "inputs": inputs}
        return scope, settings

    def _execute(
        self,
        run: Run,
        execution: Execution,
        task_run: TaskRun,
        settings: dict[str, Any],
        scope: Scope,
    ) -> None:
        values = self._runs.task_values(run.run_id)
        environments = {
            item["environment_key"]: item for item in execution.settings.get("environments") or ()
        }
        attempt = Attempt(
            task_run=task_run,
            job_id=run.job_id,
            settings=settings,
            environments=environments,
            task_values={key: values.get(key, {}) for key in scope.tasks},
            on_started=lambda: self._runs.mark_started(task_run.run_id),
            on_task_value=lambda key, value: self._runs.set_task_value(
                run.run_id, task_run.task_key, key, value
            ),
        )
        executing = asyncio.create_task(self._ending_of(attempt))
        self._executing[task_run.run_id] = executing
        executing.add_done_callback(lambda done: self._executed(task_run.run_id, done))

    async def _ending_of(self, attempt: Attempt) -> Ending:
        try:
            async with asyncio.timeout(attempt.task_run.settings.get("timeout_seconds") or None):
                return await self._execute_attempt(attempt)
        except TimeoutError:
            return Ending(TIMED_OUT, {"error": TIMED_OUT.message})
        except Exception as error:
            logger.exception("task run %s could not be executed", attempt.task_run.run_id)
            message = f"The local workspace failed: {error}"
            end = Termination(Outcome.INTERNAL_ERROR, "INTERNAL_ERROR", message)
            return Ending(end, {"error": str(error)})

    def _executed(self, task_run_id: int, done: asyncio.Task[Ending]) -> None:
        """Not part of the coroutine, which never runs where it is cancelled before its first step."""
        if self._executing.pop(task_run_id, None) is None:
            return  # the workspace is stopping; `recover` ends the run at the next start
        canceled = Ending(CANCELED, {"error": CANCELED.message})
        ending = canceled if done.cancelled() else done.result()
        self._finish(self._runs.existing_task_run(task_run_id), ending)

    def _finish(self, task_run: TaskRun, ending: Ending) -> None:
        """An attempt has ended: persist that, perhaps wait for another attempt, and let the run go on."""
        termination = _intended(task_run) or ending.termination
        with self._runs.transaction():
            self._runs.end_task(task_run.run_id, termination, ending.output)
            retry_id = self._add_retry(task_run, termination.outcome)
        if retry_id is not None:
            wait = (task_run.settings.get("min_retry_interval_millis") or 0) / 1000
            elapsed = (now() - task_run.start_time) / 1000
            self._later(retry_id, max(0.0, wait - elapsed), lambda: self._retry(retry_id))
        self._advance(task_run.job_run_id)

    def _add_retry(self, task_run: TaskRun, outcome: Outcome) -> int | None:
        limit = task_run.settings.get("max_retries") or 0
        may_retry = outcome in (Outcome.FAILED, Outcome.INTERNAL_ERROR) or (
            outcome is Outcome.TIMEDOUT and task_run.settings.get("retry_on_timeout")
        )
        run = self._runs.get(task_run.job_run_id)
        if not may_retry or run.phase is Phase.TERMINATING or 0 <= limit <= task_run.attempt_number:
            return None
        return self._runs.add_task_run(
            job_run_id=task_run.job_run_id,
            execution=task_run.execution,
            task_key=task_run.task_key,
            settings=task_run.settings,
            phase=Phase.WAITING_FOR_RETRY,
            for_each_run_id=task_run.for_each_run_id,
            iteration=task_run.iteration,
            input=task_run.input,
            retry_of=task_run,
        )

    def _retry(self, task_run_id: int) -> None:
        self._timers.pop(task_run_id, None)
        task_run = self._runs.task_run(task_run_id)
        if task_run is not None and task_run.phase is Phase.WAITING_FOR_RETRY:
            self._runs.move_task(task_run_id, Phase.PENDING)
            self._advance(task_run.job_run_id)

    # For-each

    def _open_for_each(self, task_run: TaskRun, inputs_text: str) -> None:
        """Creates the iterations; those that succeeded before a repair, with the same input, are kept."""
        try:
            inputs = inputs_of(inputs_text)
        except ValueError as error:
            end = Termination(Outcome.FAILED, "INVALID_RUN_CONFIGURATION", str(error))
            self._finish(task_run, Ending(end, {"error": str(error)}))
            return
        inner = task_run.settings["for_each_task"]["task"]
        with self._runs.transaction():
            kept = self._kept_iterations(task_run, inputs)
            for index, value in enumerate(inputs):
                if index not in kept:
                    self._runs.add_task_run(
                        job_run_id=task_run.job_run_id,
                        execution=task_run.execution,
                        task_key=inner["task_key"],
                        settings=inner,
                        for_each_run_id=task_run.run_id,
                        iteration=index,
                        input=value,
                    )
            self._runs.set_output(
                task_run.run_id,
                {"total": len(inputs), "kept": sorted(t.run_id for t in kept.values())},
            )
        self._advance(task_run.job_run_id)

    def _kept_iterations(self, task_run: TaskRun, inputs: list[Any]) -> dict[int, TaskRun]:
        earlier = [
            t
            for t in self._runs.task_runs(task_run.job_run_id)
            if t.task_key == task_run.task_key and t.run_id < task_run.run_id
        ]
        if not earlier or earlier[-1].outcome is Outcome.SUCCESS:
            return {}
        latest = {t.iteration: t for t in self._runs.all_iterations(earlier[-1])}
        return {
            index: latest[index]
            for index, value in enumerate(inputs)
            if index in latest
            and latest[index].outcome is Outcome.SUCCESS
            and latest[index].input == value
        }

    def _step_for_each(self, task_run: TaskRun) -> bool:
        latest = {t.iteration: t for t in self._runs.iterations(task_run.run_id)}
        waiting = [t for t in latest.values() if t.phase is Phase.BLOCKED]
        active = [t for t in latest.values() if t.is_active and t.phase is not Phase.BLOCKED]
        free = int(task_run.settings["for_each_task"]["concurrency"]) - len(active)
        for iteration in waiting[: max(0, free)]:
            self._runs.move_task(iteration.run_id, Phase.PENDING)
        if waiting or active or task_run.phase is Phase.PENDING:
            return False
        result = _for_each_result(list(latest.values()))
        self._runs.end_task(task_run.run_id, _intended(task_run) or result)
        return True

    # Run job

    def _start_child(self, task_run: TaskRun, settings: dict[str, Any]) -> None:
        request = {k: v for k, v in settings.items() if k != "job_id"}
        try:
            child = self.run_now(int(settings["job_id"]), request, caller_run_id=task_run.run_id)
        except Exception as error:
            end = Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", str(error))
            self._finish(task_run, Ending(end, {"error": str(error)}))
            return
        if self._runs.existing_task_run(task_run.run_id).is_active:
            self._runs.set_output(task_run.run_id, {"child_run_id": child.run_id})

    def _child_ended(self, caller_run_id: int, child: Run) -> None:
        task_run = self._runs.task_run(caller_run_id)
        if task_run is None or not task_run.is_active or child.outcome is None:
            return
        output = {"child_run_id": child.run_id}
        if child.outcome in (Outcome.SUCCESS, Outcome.SUCCESS_WITH_FAILURES):
            self._finish(task_run, Ending(SUCCEEDED, output))
            return
        message = f"Run {child.run_id} of job {child.job_id} ended {child.outcome}: {child.message}"
        canceled = child.outcome is Outcome.CANCELED
        end = CANCELED if canceled else Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", message)
        self._finish(task_run, Ending(end, {**output, "error": message}))

    # Stopping

    def _stop(self, run: Run, end: Termination) -> None:
        """Cancel or time out a whole run."""
        if run.phase in (Phase.TERMINATING, Phase.TERMINATED):
            return
        if run.phase is Phase.QUEUED:
            self._runs.end(run.run_id, end)
            self._ended(self._runs.get(run.run_id))
            return
        with self._runs.transaction():
            self._runs.begin_end(run.run_id, end)
            for task_run in self._runs.active_task_runs(run.run_id):
                self._stop_task(task_run.run_id, end)
        self._advance(run.run_id)

    def _stop_task(self, task_run_id: int, end: Termination) -> None:
        task_run = self._runs.existing_task_run(task_run_id)
        if task_run.phase in (Phase.TERMINATING, Phase.TERMINATED):
            return
        if task_run.phase is not Phase.RUNNING:
            self._runs.end_task(task_run.run_id, end)
            return
        self._runs.begin_end_task(task_run.run_id, end)
        if executing := self._executing.get(task_run.run_id):
            executing.cancel()
        if child := task_run.output.get("child_run_id"):
            asyncio.get_running_loop().call_soon(self.cancel, child)
        for iteration in self._runs.iterations(task_run.run_id):
            self._stop_task(iteration.run_id, end)

    def _later(self, key: int, seconds: float, action: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(seconds, action)


def _only(settings: dict[str, Any], patterns: list[str]) -> dict[str, Any]:
    """The settings with the selected tasks alone: `k`, `+k` (with all upstream), `k+` (with all downstream), `+k+`."""
    if not patterns:
        return settings
    tasks = settings.get("tasks") or []
    keys = {task["task_key"] for task in tasks}
    selected: set[str] = set()
    for pattern in patterns:
        key = pattern.strip("+")
        if key not in keys:
            raise InvalidParameterValue(
                f"only names the task '{key}', which the job does not have."
            )
        selected.add(key)
        if pattern.startswith("+"):
            selected |= ancestors(tasks, [key])
        if pattern.endswith("+"):
            selected |= dependents(tasks, [key])
    return {**settings, "tasks": [task for task in tasks if task["task_key"] in selected]}


def _intended(entry: Run | TaskRun) -> Termination | None:
    """How something ends that was told to stop and is still ending."""
    if entry.phase is not Phase.TERMINATING or entry.outcome is None:
        return None
    return Termination(entry.outcome, entry.code or "", entry.message)


def _evaluate(settings: Mapping[str, Any]) -> Ending:
    try:
        outcome = condition(settings["op"], str(settings["left"]), str(settings["right"]))
    except ValueError as error:
        end = Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", str(error))
        return Ending(end, {"error": str(error)})
    return Ending(SUCCEEDED, {"outcome": "true" if outcome else "false"})


def _for_each_result(iterations: list[TaskRun]) -> Termination:
    failed = [t for t in iterations if t.outcome in lifecycle.FAILURES]
    if failed:
        message = f"{len(failed)} of the iterations failed; see their output."
        return Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", message)
    if any(t.outcome is Outcome.CANCELED for t in iterations):
        return CANCELED
    return SUCCEEDED


def _result(
    execution: Execution, outcomes: Mapping[str, Outcome], latest: Mapping[str, TaskRun]
) -> Termination:
    """How a run ended that nobody stopped; the message is as measured on Databricks."""
    outcome = run_outcome(execution.tasks, outcomes)
    if outcome is Outcome.SUCCESS:
        return SUCCEEDED
    if outcome is Outcome.SUCCESS_WITH_FAILURES:
        return Termination(outcome, "SUCCESS_WITH_FAILURES")
    failed = [t for t in latest.values() if t.outcome in lifecycle.FAILURES | {Outcome.CANCELED}]
    message = " ".join(f"Task {t.task_key} failed with message: {t.message}." for t in failed)
    skipped = {Outcome.UPSTREAM_FAILED, Outcome.UPSTREAM_CANCELED}
    if skipped.intersection(outcomes.values()):
        message += " This caused all downstream tasks to get skipped."
    codes = {t.code for t in failed}
    code = codes.pop() if len(codes) == 1 else "RUN_EXECUTION_ERROR"
    return Termination(Outcome.FAILED, code or "RUN_EXECUTION_ERROR", message.replace("..", "."))
