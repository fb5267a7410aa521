"""A conductor on a database in memory, with tasks whose ends are scripted: no process is started."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from support.waiting import PATIENCE

from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending
from local_workspace.execution.conductor import Conductor
from local_workspace.models.job_settings import checked
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run import Run, Termination
from local_workspace.store.database import Database
from local_workspace.store.jobs import JobStore
from local_workspace.store.runs import RunStore
from local_workspace.store.task_runs import TaskRunStore

REPAIR_ALL = RepairRequest(rerun_all_failed_tasks=True)


Script = Mapping[str, Sequence[bool | Termination]]
"""How the attempts of each task end, the last entry for all further ones: whether they succeed, or the end itself."""


class ScriptedExecutor:
    """Ends each attempt of a task as its script says."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.started: list[str] = []
        self.held: set[str] = set()
        self.watch: Callable[[Attempt], object] = lambda _: None

    async def execute(self, attempt: Attempt) -> Ending:
        key = attempt.task_run.task_key
        count = self.started.count(key)
        self.started.append(key)
        self.watch(attempt)
        attempt.on_started()
        await asyncio.sleep(0)
        if key in self.held:
            await asyncio.Event().wait()
        results = self.script.get(key, [True])
        end = results[min(count, len(results) - 1)]
        if isinstance(end, Termination):
            return Ending(end, {})
        return Ending(SUCCEEDED if end else WORKLOAD_FAILED, {})

    @property
    def attempts(self) -> Counter[str]:
        """How often each task was executed."""
        return Counter(self.started)


class Bench:
    """A conductor on a database in memory."""

    def __init__(self, tasks: list[dict[str, Any]], script: Script, **job: Any) -> None:
        self.executor = ScriptedExecutor(script)
        self.host: Callable[[], str] = lambda: "http://host"
        db = Database(":memory:")
        self.jobs, self.runs, self.task_runs = JobStore(db), RunStore(db), TaskRunStore(db)
        self.job_id = self.jobs.create(checked({"name": "job", "tasks": tasks, **job}))
        self.conductor = self.new_conductor()

    def new_conductor(self, least_seconds: float = 0.0) -> Conductor:
        return Conductor(
            jobs=self.jobs,
            runs=self.runs,
            task_runs=self.task_runs,
            execute=self.executor.execute,
            host=lambda: self.host(),
            least_seconds=least_seconds,
        )

    async def restart(self) -> None:
        """Stop at once, as a kill does, and recover."""
        await self.conductor.stop()
        self.conductor = self.new_conductor()
        self.conductor.recover()

    async def until_ended(self, run_id: int) -> Run:
        while self.runs.get(run_id).is_active:
            await asyncio.sleep(0.001)
        return self.runs.get(run_id)

    async def run(self, **request: Any) -> Run:
        return await self.until_ended(self.conductor.run_now(self.job_id, request).run_id)

    async def repair(self, run: Run, repair: RepairRequest) -> Run:
        self.conductor.repair(run.run_id, repair, {})
        assert self.runs.get(run.run_id).is_active or self.runs.get(run.run_id).outcome is not None
        return await self.until_ended(run.run_id)

    def outcomes(self, run: Run) -> dict[str, Outcome | None]:
        return {key: t.outcome for key, t in self.task_runs.latest(run.run_id).items()}


def task(key: str, *after: str, **settings: Any) -> dict[str, Any]:
    depends_on = [{"task_key": up} for up in after]
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": "/n"},
        "depends_on": depends_on,
        **settings,
    }


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), timeout=PATIENCE))  # type: ignore[arg-type]


def check(key: str, *after: str, left: str = "1") -> dict[str, Any]:
    """A condition that holds unless `left` is something else."""
    test = {"op": "EQUAL_TO", "left": left, "right": "1"}
    depends_on = [{"task_key": up} for up in after]
    return {"task_key": key, "condition_task": test, "depends_on": depends_on}
