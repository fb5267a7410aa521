"""What can be asked of runs: run-now, submit, repair, cancel, delete, and to go on after a restart.

The models decide, the store persists, the driver moves, the executor executes. Everything happens on the server's event
loop, and each request is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_workspace.errors import ApiError, InvalidState
from local_workspace.execution.attempt import Execute
from local_workspace.execution.driver import Driver
from local_workspace.execution.notebook_run import NotebookRequest, check_caller, settings_of
from local_workspace.execution.recovery import end_lost
from local_workspace.execution.run_job import check_callers
from local_workspace.models.job_settings import checked
from local_workspace.models.json_types import integer
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.repair import (
    RepairRequest,
    check_repairable,
    outcomes_to_repair,
    tasks_to_rerun,
)
from local_workspace.models.run import Misconfigured, Run, TaskRun
from local_workspace.models.run_request import REPAIR_FIELDS, RUN_NOW_FIELDS, checked_request
from local_workspace.models.run_result import CANCELED
from local_workspace.models.selection import only
from local_workspace.store.jobs import JobStore
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore


class Conductor:
    def __init__(
        self,
        *,
        jobs: JobStore,
        runs: RunStore,
        task_runs: TaskRunStore,
        execute: Execute,
        host: Callable[[], str],
        least_seconds: float = 0.0,
    ) -> None:
        """`least_seconds`: how long a run that executes nothing stays active all the same."""
        self._jobs = jobs
        self._runs = runs
        self._task_runs = task_runs
        self._driver = Driver(
            runs=runs,
            task_runs=task_runs,
            execute=execute,
            host=host,
            start_child=self._start_child,
            least_seconds=least_seconds,
        )

    # Requests

    def run_now(
        self,
        job_id: int,
        values: Mapping[str, Any],
        *,
        token: str | None = None,
        caller_run_id: int | None = None,
    ) -> Run:
        """A new run of the job with what `values` ask for, or the run that the token started before."""
        with self._runs.transaction():
            if known := self._runs.run_of_token(token):
                return known
            settings = self._jobs.get(job_id).settings
            request = checked_request(values, RUN_NOW_FIELDS, settings)
            run = self._runs.create(
                job_id=job_id,
                settings=only(settings, request.get("only") or []),
                request=request,
                token=token,
                caller_run_id=caller_run_id,
            )
            self._driver.queue.enter(run, settings, request)
        return self._runs.get(run.run_id)

    def submit(self, settings: Mapping[str, Any], *, token: str | None = None) -> Run:
        """A one-time run of tasks that belong to no job, or the run that the token started before."""
        with self._runs.transaction():
            if known := self._runs.run_of_token(token):
                return known
            run = self._runs.create(
                job_id=None, settings=checked(settings), request={}, token=token
            )
            self._driver.begin(run.run_id)
        return self._runs.get(run.run_id)

    def run_notebook(self, caller_run_id: int, request: NotebookRequest) -> Run:
        """A run that a task's code asks for; when the task ends, it is cancelled."""
        with self._runs.transaction():
            caller = self._task_runs.get(caller_run_id)
            check_caller(self._runs, self._task_runs, caller)
            execution = self._runs.latest_execution(caller.job_run_id)
            run = self._runs.create(
                job_id=None,
                settings=checked(settings_of(request, caller, execution)),
                request={},
                token=None,
                caller_run_id=caller_run_id,
            )
            self._driver.begin(run.run_id)
        return self._runs.get(run.run_id)

    def repair(self, run_id: int, repair: RepairRequest, values: Mapping[str, Any]) -> int:
        """The id of a new repair; the same run is active again before this returns."""
        with self._runs.transaction():
            run = self._runs.get(run_id)
            latest = self._runs.latest_execution(run_id)
            request = checked_request(values, REPAIR_FIELDS, latest.settings)
            check_repairable(
                repair,
                is_active=run.is_active,
                was_skipped=run.outcome is Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED,
                latest_repair_id=latest.repair_id,
            )
            settings = self._settings_for_repair(run)
            outcomes = outcomes_to_repair(run, latest, self._task_runs.latest(run_id))
            rerun = tasks_to_rerun(repair, settings.get("tasks") or [], outcomes)
            execution = self._runs.revive(run_id, settings, request)
            self._driver.open(execution, rerun)
        assert execution.repair_id is not None
        return execution.repair_id

    def cancel(self, run_id: int) -> None:
        """Ends a run, or one task run of it; a run that has ended keeps its outcome."""
        if self._task_runs.find(run_id) is None:
            self._driver.stop_run(run_id, CANCELED)
        else:
            self._driver.attempts.stop(run_id, CANCELED)

    def delete(self, run_id: int) -> None:
        if self._runs.get(run_id).is_active:
            raise InvalidState(f"Run {run_id} is still active; cancel it before deleting it.")
        self._runs.delete(run_id)

    def change_timeout(self, job_id: int, seconds: int) -> None:
        """A job's new timeout_seconds applies to its active runs too."""
        for run in self._runs.active(job_id):
            if run.run_type == "JOB_RUN" and run.phase is not Phase.QUEUED:
                self._driver.limit_time(self._runs.latest_execution(run.run_id), seconds)

    # Start and stop of the workspace

    def recover(self) -> None:
        """After a restart: what was executing has failed and can be repaired; what was queued goes on."""
        for run in self._runs.active():
            if run.phase is not Phase.QUEUED:
                end_lost(self._runs, self._task_runs, run)
                self._driver.wake(run.run_id)
        self._driver.queue.resume()

    async def stop(self) -> None:
        """Ends all task processes; their runs are found and ended by `recover` at the next start."""
        await self._driver.stop()

    def _start_child(self, run: Run, caller: TaskRun, settings: Mapping[str, Any]) -> int:
        """The run of another job; raises Misconfigured where it cannot be started."""
        try:
            job_id = integer(settings["job_id"], "run_job_task.job_id")
            check_callers(self._runs, self._task_runs, run, job_id)
            return self.run_now(job_id, settings, caller_run_id=caller.run_id).run_id
        except ApiError as error:
            raise Misconfigured(error.message) from error

    def _settings_for_repair(self, run: Run) -> dict[str, Any]:
        """A repair takes the job's current settings; those of a one-time run are the ones it was submitted with."""
        original = self._runs.executions(run.run_id)[0]
        if run.run_type != "JOB_RUN":
            return original.settings
        return only(self._jobs.get(run.job_id).settings, original.request.get("only") or [])
