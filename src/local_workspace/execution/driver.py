"""A run's way from its begin to its end.

Whatever may let a run go on wakes it: a request, the end of an attempt, a timer. In the event loop's next turn it goes
as far as it can, and nothing else moves it. What is started is started after the commit of what says so, so a crash in
between leaves a task that is known not to have run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from local_workspace.execution.attempt import Execute
from local_workspace.execution.attempts import Attempts, StartChild
from local_workspace.execution.progress import AT_ONCE, advance
from local_workspace.execution.run_job import ending_of
from local_workspace.execution.run_queue import RunQueue
from local_workspace.execution.timers import Timers
from local_workspace.models.lifecycle import Phase
from local_workspace.models.run import Execution, Run, Termination
from local_workspace.models.run_result import TIMED_OUT, run_result
from local_workspace.store.jobs import now
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore


class Driver:
    """Drives all runs; `queue` holds those that may not begin yet, `attempts` what they have started."""

    def __init__(
        self,
        *,
        runs: RunStore,
        task_runs: TaskRunStore,
        execute: Execute,
        host: Callable[[], str],
        start_child: StartChild,
        least_seconds: float,
    ) -> None:
        self._runs = runs
        self._task_runs = task_runs
        self._least_seconds = least_seconds
        self._is_stopped = False
        self._timers = Timers()
        self.queue = RunQueue(runs, self._timers, begin=self.begin, ended=self.wake)
        self.attempts = Attempts(
            runs=runs,
            task_runs=task_runs,
            timers=self._timers,
            execute=execute,
            host=host,
            start_child=start_child,
            stop_run=self.stop_run,
            wake=self.wake,
        )

    async def stop(self) -> None:
        """Ends all that was started; nothing is persisted any more, as if the workspace had been killed."""
        self._is_stopped = True
        self._timers.cancel_all()
        await self.attempts.abandon()

    def begin(self, run_id: int) -> None:
        """The run leaves the queue: its tasks exist from now on."""
        with self._runs.transaction():
            self._runs.move(run_id, Phase.PENDING, start_time=now())
            execution = self._runs.latest_execution(run_id)
            self.open(execution, [task["task_key"] for task in execution.tasks])

    def open(self, execution: Execution, keys: Collection[str]) -> None:
        """The tasks `keys` take part in the original run, or in a repair."""
        for task in execution.tasks:
            if task["task_key"] in keys:
                self._task_runs.add(execution, task)
        self.limit_time(execution, execution.settings["timeout_seconds"])
        self.wake(execution.run_id)

    def limit_time(self, execution: Execution, seconds: int) -> None:
        """Counted from the start of the run, in a repair from the start of that."""
        run_id = execution.run_id
        if not seconds:
            self._timers.cancel(("timeout", run_id))
            return
        started = max(execution.start_time, self._runs.get(run_id).start_time)
        rest = seconds - (now() - started) / 1000
        self._timers.set(("timeout", run_id), rest, lambda: self.stop_run(run_id, TIMED_OUT))

    def wake(self, run_id: int) -> None:
        """The run goes on in the loop's next turn; calls before that change nothing more."""
        self._timers.set(("step", run_id), 0, lambda: self._go_on(run_id))

    def _go_on(self, run_id: int) -> None:
        if self._is_stopped:
            return
        run = self._runs.get(run_id)
        if run.is_active and run.phase is not Phase.QUEUED:
            self._take_turn(run)
            run = self._runs.get(run_id)
        if not run.is_active:
            self._ended(run)

    def _take_turn(self, run: Run) -> None:
        execution = self._runs.latest_execution(run.run_id)
        progress = advance(self._task_runs, execution)
        for loop_run_id, ending in progress.over.items():
            self.attempts.finish(loop_run_id, ending)
        for task_run in progress.ready:
            self.attempts.start(task_run)
        if len(progress.ready) == AT_ONCE:
            self.wake(run.run_id)
        if progress.is_done and not self._lingers(run):
            latest = self._task_runs.latest(run.run_id)
            self._runs.end(run.run_id, run.intended or run_result(execution.tasks, latest))

    def _lingers(self, run: Run) -> bool:
        """Whether a new run that executed nothing has to be seen active a little longer.

        Airflow's DatabricksWorkflowTaskGroup takes a run for not started unless its second look finds it active. On
        Databricks every run takes seconds, here a condition or a missing notebook takes none.
        """
        rest = self._least_seconds - (now() - run.created_time) / 1000
        if rest <= 0 or run.caller_run_id or run.phase is Phase.TERMINATING:
            return False
        is_repair = self._runs.latest_execution(run.run_id).number > 0
        if is_repair or self._task_runs.has_executed(run.run_id):
            return False
        self._timers.set(("linger", run.run_id), rest, lambda: self.wake(run.run_id))
        return True

    def _ended(self, run: Run) -> None:
        for what in ("queue", "timeout", "linger"):
            self._timers.cancel((what, run.run_id))
        if run.caller_run_id and run.trigger == "RUN_JOB_TASK":
            self.attempts.finish(run.caller_run_id, ending_of(run))
        self.queue.admit_next(run.job_id)

    def stop_run(self, run_id: int, end: Termination) -> None:
        """The whole run ends as `end`, as soon as all that it started has ended."""
        run = self._runs.get(run_id)
        if run.phase is Phase.QUEUED:
            self._runs.end(run_id, end)
        elif run.is_active and run.phase is not Phase.TERMINATING:
            with self._runs.transaction():
                self._runs.begin_end(run_id, end)
                for task_run in self._task_runs.active(run_id):
                    self.attempts.stop(task_run.run_id, end)
        self.wake(run_id)
