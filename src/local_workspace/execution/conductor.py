"""Drives runs from their creation to their end: the models decide, the store persists, the executor executes.

Everything happens on the server's event loop. Each step of a run is one transaction; what it starts is started after
the commit, so a crash in between leaves a task that is known not to have run.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from local_workspace.errors import ApiError, InvalidState
from local_workspace.execution.attempt import Attempt, Ending, Execute
from local_workspace.models.graph import Finished, decide, dependencies
from local_workspace.models.job_settings import checked
from local_workspace.models.json_types import integer
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.nesting import check_nesting
from local_workspace.models.references import Scope, UnknownReference, resolve
from local_workspace.models.repair import RepairRequest, check_repairable, tasks_to_rerun
from local_workspace.models.run import Execution, Run, TaskRun, Termination
from local_workspace.models.run_request import RUN_NOW_FIELDS, checked_request
from local_workspace.models.run_result import (
    CANCELED,
    SUCCEEDED,
    for_each_result,
    may_retry,
    run_result,
)
from local_workspace.models.selection import only
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
        self,
        *,
        jobs: JobStore,
        runs: RunStore,
        execute: Execute,
        host: Callable[[], str],
        least_seconds: float = 0.0,
    ) -> None:
        """`least_seconds`: how long a run that executes nothing stays active all the same."""
        self._jobs = jobs
        self._runs = runs
        self._execute_attempt = execute
        self._host = host
        self._least_seconds = least_seconds
        self._executing: dict[int, asyncio.Task[Ending]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._advancing: set[int] = set()
        self._stale: set[int] = set()

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
            settings = only(self._jobs.get(job_id).settings, request.get("only") or [])
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
            check_repairable(
                repair,
                is_active=run.is_active,
                was_skipped=run.outcome is Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED,
                latest_repair_id=latest.repair_id,
            )
            settings = self._settings_for_repair(run)
            rerun = tasks_to_rerun(
                repair, settings.get("tasks") or [], self._outcomes_for_repair(run, latest)
            )
            repair_id = self._runs.new_id()
            self._runs.revive(run_id)
            execution = self._runs.add_execution(run_id, settings, request, repair_id)
            for task in execution.tasks:
                if task["task_key"] in rerun:
                    self._add_task(execution, task)
            self._limit_time(run_id, settings["timeout_seconds"])
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
            if run.phase is not Phase.QUEUED:
                self._recover_run(run)
        for job_id in {run.job_id for run in self._runs.active()}:
            self._admit_next(job_id)

    def _recover_run(self, run: Run) -> None:
        interrupted = self._runs.active_task_runs(run.run_id)
        if not interrupted:
            # All its tasks had ended; its own end would have been next.
            execution = self._runs.latest_execution(run.run_id)
            self._end_run(run, execution, self._runs.latest_task_runs(run.run_id))
            self._ended(self._runs.get(run.run_id))
            return
        with self._runs.transaction():
            for task_run in interrupted:
                reached = task_run.phase not in (Phase.BLOCKED, Phase.WAITING_FOR_RETRY)
                end = _intended(task_run) or (LOST if reached else NOT_REACHED)
                self._runs.end_task(task_run.run_id, end)
            self._runs.end(run.run_id, _intended(run) or LOST)

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
        if self._runs.count_running(run.job_id) < limit:
            self._admit(run.run_id)
            return
        queue = request.get("queue") or settings.get("queue") or {"enabled": True}
        if limit == 0 or not queue.get("enabled"):
            message = f"Skipping this run because the limit of {limit} maximum concurrent runs has been reached."
            end = Termination(
                Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED, "MAX_CONCURRENT_RUNS_EXCEEDED", message
            )
            self._runs.end(run.run_id, end)

    def _admit(self, run_id: int) -> None:
        """A run leaves the queue: its tasks exist from now on."""
        self._runs.move(run_id, Phase.PENDING, start_time=now())
        execution = self._runs.latest_execution(run_id)
        for task in execution.tasks:
            self._add_task(execution, task)
        self._limit_time(run_id, execution.settings["timeout_seconds"])

    def change_timeout(self, job_id: int, seconds: int) -> None:
        """A job's new timeout_seconds applies to its active runs too."""
        for run in self._runs.active(job_id):
            if run.run_type == "JOB_RUN" and run.phase is not Phase.QUEUED:
                started = max(run.start_time, self._runs.latest_execution(run.run_id).start_time)
                self._limit_time(run.run_id, seconds, elapsed=(now() - started) / 1000)

    def _limit_time(self, run_id: int, seconds: int, elapsed: float = 0.0) -> None:
        self._forget_timer(run_id)
        if seconds:
            rest = max(0.0, seconds - elapsed)
            self._later(run_id, rest, lambda: self._stop(self._runs.get(run_id), TIMED_OUT))

    def _admit_next(self, job_id: int) -> None:
        """Queued runs of the job start, oldest first, as far as its limit allows."""
        while (run := self._runs.next_queued(job_id)) is not None:
            limit = self._runs.latest_execution(run.run_id).settings["max_concurrent_runs"]
            if self._runs.count_running(job_id) >= limit:
                return
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

    def _settings_for_repair(self, run: Run) -> dict[str, Any]:
        """A repair takes the job's current settings; those of a one-time run are the ones it was submitted with."""
        original = self._runs.executions(run.run_id)[0]
        if run.run_type != "JOB_RUN":
            return original.settings
        return only(self._jobs.get(run.job_id).settings, original.request.get("only") or [])

    def _outcomes_for_repair(self, run: Run, latest: Execution) -> dict[str, Outcome]:
        """How each task ended. A run that was cancelled in the queue has no task runs: all its tasks were cancelled."""
        task_runs = self._runs.latest_task_runs(run.run_id)
        if not task_runs and run.outcome is not None:
            return {task["task_key"]: run.outcome for task in latest.tasks}
        return {key: t.outcome for key, t in task_runs.items() if t.outcome is not None}

    # Progress

    def _advance(self, run_id: int) -> None:
        """Takes the run as far as it can go now, then starts what became ready.

        Starting a task may end it at once and so get here again: then the round that is under way is repeated,
        because a call per task would be as deep as the run is long.
        """
        self._stale.add(run_id)
        if run_id in self._advancing:
            return
        self._advancing.add(run_id)
        try:
            while run_id in self._stale:
                self._round(run_id)
        finally:
            self._advancing.discard(run_id)
        run = self._runs.get(run_id)
        if not run.is_active:
            self._ended(run)

    def _round(self, run_id: int) -> None:
        self._stale.discard(run_id)
        with self._runs.transaction():
            while self._step(run_id):
                pass
        while run_id not in self._stale and (ready := self._ready(run_id)):
            self._start(ready)

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
        ended = all(not task_run.is_active for task_run in latest.values())
        if ended and not self._lingers(run, execution):
            self._end_run(run, execution, latest)
        return False

    def _lingers(self, run: Run, execution: Execution) -> bool:
        """Whether a new run that executed nothing has to be seen active a little longer.

        Airflow's DatabricksWorkflowTaskGroup takes a run for not started unless its second look finds it active. On
        Databricks every run takes seconds, here a condition or a missing notebook takes none.
        """
        started_by_client = run.caller_run_id is None and execution.number == 0
        rest = self._least_seconds - (now() - run.created_time) / 1000
        if run.phase is Phase.TERMINATING or not started_by_client or rest <= 0:
            return False
        if self._runs.has_executed(run.run_id):
            return False
        self._forget_timer(-run.run_id)  # run_id itself is the key of the run's timeout
        self._later(-run.run_id, rest, lambda: self._advance(run.run_id))
        return True

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
        # A task that the job no longer has does not count in a repair.
        keys = {task["task_key"] for task in execution.tasks}
        counted = {key: task_run for key, task_run in latest.items() if key in keys}
        self._runs.end(run.run_id, _intended(run) or run_result(execution.tasks, counted))

    def _ended(self, run: Run) -> None:
        self._forget_timer(run.run_id)
        self._forget_timer(-run.run_id)
        if run.caller_run_id:
            self._child_ended(run.caller_run_id, run)
        # Later, because each run of a long queue may end as soon as it starts.
        asyncio.get_running_loop().call_soon(self._admit_next, run.job_id)

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
            started = max(now(), task_run.created_time)
            self._runs.move_task(
                task_run.run_id, Phase.RUNNING, start_time=started, resolved={"settings": settings}
            )
        task_run = self._runs.existing_task_run(task_run.run_id)
        match task_run.kind:
            case "condition_task":
                self._finish(task_run, _evaluate(settings["condition_task"]))
            case "for_each_task":
                self._limit_task_time(task_run)
                self._open_for_each(task_run, settings["for_each_task"]["inputs"])
            case "run_job_task":
                self._limit_task_time(task_run)
                self._start_child(run, task_run, settings["run_job_task"])
            case _:
                self._execute(run, execution, task_run, settings, scope)

    def _limit_task_time(self, task_run: TaskRun) -> None:
        """For tasks without a process of their own; the others are limited where they are executed."""
        seconds = task_run.settings.get("timeout_seconds")
        if seconds:
            self._later(task_run.run_id, seconds, lambda: self._time_out(task_run))

    def _time_out(self, task_run: TaskRun) -> None:
        self._stop_task(task_run.run_id, TIMED_OUT)
        self._advance(task_run.job_run_id)

    def _resolved(
        self, run: Run, execution: Execution, task_run: TaskRun
    ) -> tuple[Scope, dict[str, Any]]:
        run_scope = scope_of_run(run, execution, self._host())
        every_attempt = self._runs.task_runs(run.run_id)
        latest = {attempt.task_key: attempt for attempt in every_attempt}
        counts = Counter(attempt.task_key for attempt in every_attempt)
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
        self._forget_timer(task_run.run_id)
        with self._runs.transaction():
            self._runs.end_task(task_run.run_id, termination, ending.output)
            retry_id = self._add_retry(task_run, termination)
        if retry_id is not None:
            wait = (task_run.settings.get("min_retry_interval_millis") or 0) / 1000
            elapsed = (now() - task_run.start_time) / 1000
            self._later(retry_id, max(0.0, wait - elapsed), lambda: self._retry(retry_id))
        self._advance(task_run.job_run_id)

    def _add_retry(self, task_run: TaskRun, end: Termination) -> int | None:
        run = self._runs.get(task_run.job_run_id)
        if run.phase is Phase.TERMINATING or not may_retry(task_run, end):
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
        self._forget_timer(task_run_id)
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
            if t.task_key == task_run.task_key
            and t.run_id < task_run.run_id
            and "total" in t.output
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
        free = int(task_run.settings["for_each_task"].get("concurrency") or 1) - len(active)
        for iteration in waiting[: max(0, free)]:
            self._runs.move_task(iteration.run_id, Phase.PENDING)
        if waiting or active or task_run.phase is Phase.PENDING:
            return False
        result = for_each_result(list(latest.values()))
        self._forget_timer(task_run.run_id)
        self._runs.end_task(task_run.run_id, _intended(task_run) or result)
        return True

    # Run job

    def _start_child(self, run: Run, task_run: TaskRun, settings: dict[str, Any]) -> None:
        try:
            job_id = integer(settings["job_id"], "run_job_task.job_id")
            check_nesting(job_id, self._callers(run))
            request = checked_request(settings, RUN_NOW_FIELDS, self._jobs.get(job_id).settings)
            child = self.run_now(job_id, request, caller_run_id=task_run.run_id)
        except ApiError as error:
            end = Termination(Outcome.FAILED, "INVALID_RUN_CONFIGURATION", error.message)
            self._finish(task_run, Ending(end, {"error": error.message}))
            return
        if self._runs.existing_task_run(task_run.run_id).is_active:
            self._runs.set_output(task_run.run_id, {"child_run_id": child.run_id})

    def _callers(self, run: Run) -> list[int]:
        """The job of `run`, the job whose run_job_task started it, and so on."""
        jobs = [run.job_id]
        while run.caller_run_id and (caller := self._runs.task_run(run.caller_run_id)):
            run = self._runs.get(caller.job_run_id)
            jobs.append(run.job_id)
        return jobs

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

    def _forget_timer(self, key: int) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()

    def _later(self, key: int, seconds: float, action: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(seconds, action)


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
