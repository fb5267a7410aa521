"""Which runs of a job may start, and what becomes of the others.

Semantics: https://docs.databricks.com/aws/en/jobs/advanced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_workspace.execution.timers import Timers
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.run import Run, Termination
from local_workspace.store.jobs import now
from local_workspace.store.runs import RunStore

MAX_HOURS = 48
OVER_THE_LIMIT = "MAX_CONCURRENT_RUNS_EXCEEDED"


class RunQueue:
    """At most `max_concurrent_runs` of a job run at once; the others wait in the order they came, or are skipped."""

    def __init__(
        self,
        runs: RunStore,
        timers: Timers,
        *,
        begin: Callable[[int], None],
        ended: Callable[[int], None],
    ) -> None:
        """`begin` starts a run that may start, `ended` hears of one that never will."""
        self._runs = runs
        self._timers = timers
        self._begin = begin
        self._ended = ended

    def enter(self, run: Run, settings: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """A new run begins, waits, or is skipped where the job or the request wants no queue."""
        limit = settings["max_concurrent_runs"]
        queue = request.get("queue") or settings.get("queue") or {"enabled": True}
        if self._runs.count_running(run.job_id) < limit:
            self._begin(run.run_id)
        elif limit == 0 or not queue.get("enabled"):
            reason = f"the limit of {limit} maximum concurrent runs has been reached"
            self._skip(run.run_id, reason)
        else:
            self._limit_waiting(run)

    def admit_next(self, job_id: int) -> None:
        """Waiting runs of the job begin, as far as its limit allows."""
        while (run := self._runs.next_queued(job_id)) is not None:
            limit = self._runs.latest_execution(run.run_id).settings["max_concurrent_runs"]
            if self._runs.count_running(job_id) >= limit:
                return
            self._timers.cancel(("queue", run.run_id))
            self._begin(run.run_id)

    def resume(self) -> None:
        """After a restart, what waited goes on waiting, or begins."""
        waiting = [run for run in self._runs.active() if run.phase is Phase.QUEUED]
        for run in waiting:
            self._limit_waiting(run)
        for job_id in {run.job_id for run in waiting}:
            self.admit_next(job_id)

    def _limit_waiting(self, run: Run) -> None:
        rest = MAX_HOURS * 3600 - (now() - run.created_time) / 1000
        reason = f"it was queued for {MAX_HOURS} hours"
        if rest > 0:
            self._timers.set(("queue", run.run_id), rest, lambda: self._skip(run.run_id, reason))
        else:
            self._skip(run.run_id, reason)

    def _skip(self, run_id: int, reason: str) -> None:
        message = f"Skipping this run because {reason}."
        end = Termination(Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED, OVER_THE_LIMIT, message)
        self._runs.end(run_id, end)
        self._ended(run_id)
