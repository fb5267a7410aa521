"""The life of runs under the conductor, with tasks whose ends are scripted: no process is started here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.errors import InvalidParameterValue
from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending
from local_workspace.execution.conductor import CANCELED, Conductor
from local_workspace.models.graph import dependencies
from local_workspace.models.job_settings import checked
from local_workspace.models.lifecycle import FAILURES, Outcome, Phase
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run import Run, TaskRun
from local_workspace.store.database import Database
from local_workspace.store.jobs import JobStore
from local_workspace.store.runs import RunStore

REPAIR_ALL = RepairRequest(rerun_all_failed_tasks=True)


class ScriptedExecutor:
    """Ends each attempt of a task as its script says, the last entry for all further ones."""

    def __init__(self, script: dict[str, list[bool]]) -> None:
        self.script = script
        self.started: list[str] = []
        self.held: set[str] = set()

    async def execute(self, attempt: Attempt) -> Ending:
        key = attempt.task_run.task_key
        count = self.started.count(key)
        self.started.append(key)
        attempt.on_started()
        await asyncio.sleep(0)
        if key in self.held:
            await asyncio.Event().wait()
        results = self.script.get(key, [True])
        succeeded = results[min(count, len(results) - 1)]
        return Ending(SUCCEEDED if succeeded else WORKLOAD_FAILED, {})


class Bench:
    """A conductor on a database in memory."""

    def __init__(
        self, tasks: list[dict[str, Any]], script: dict[str, list[bool]], **job: Any
    ) -> None:
        self.executor = ScriptedExecutor(script)
        db = Database(":memory:")
        self.jobs, self.runs = JobStore(db), RunStore(db)
        self.job_id = self.jobs.create(checked({"name": "job", "tasks": tasks, **job}))
        self.conductor = self.new_conductor()

    def new_conductor(self) -> Conductor:
        return Conductor(
            jobs=self.jobs,
            runs=self.runs,
            execute=self.executor.execute,
            host=lambda: "http://host",
        )

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
        return {key: t.outcome for key, t in self.runs.latest_task_runs(run.run_id).items()}


def task(key: str, *after: str, **settings: Any) -> dict[str, Any]:
    depends_on = [{"task_key": up} for up in after]
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": "/n"},
        "depends_on": depends_on,
        **settings,
    }


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), timeout=30))  # type: ignore[arg-type]


CHAIN = [task("a"), task("b", "a"), task("c", "b")]


def test_a_repair_runs_what_failed_and_what_was_behind_it() -> None:
    async def scenario() -> None:
        bench = Bench(CHAIN, {"b": [False, True]})
        run = await bench.run()
        assert run.outcome is Outcome.FAILED
        assert run.message == (
            "Task b failed with message: Workload failed, see run output for details. "
            "This caused all downstream tasks to get skipped."
        )

        repaired = await bench.repair(run, REPAIR_ALL)

        assert (repaired.run_id, repaired.outcome) == (run.run_id, Outcome.SUCCESS)
        assert bench.executor.started == ["a", "b", "b", "c"]
        assert [e.outcome for e in bench.runs.executions(run.run_id)] == [
            Outcome.FAILED,
            Outcome.SUCCESS,
        ]

    play(scenario)


def test_the_second_repair_has_to_name_the_first() -> None:
    async def scenario() -> None:
        bench = Bench([task("a")], {"a": [False, False, True]})
        run = await bench.run()
        first = bench.conductor.repair(run.run_id, REPAIR_ALL, {})
        await bench.until_ended(run.run_id)
        for wrong in (None, first + 1):
            try:
                bench.conductor.repair(
                    run.run_id,
                    RepairRequest(rerun_all_failed_tasks=True, latest_repair_id=wrong),
                    {},
                )
            except InvalidParameterValue:
                continue
            raise AssertionError(f"latest_repair_id {wrong} was accepted")
        named = RepairRequest(rerun_all_failed_tasks=True, latest_repair_id=first)
        assert (await bench.repair(run, named)).outcome is Outcome.SUCCESS

    play(scenario)


def test_retries_are_new_attempts_and_the_last_one_decides() -> None:
    async def scenario() -> None:
        bench = Bench([task("a", max_retries=2)], {"a": [False, False, True]})
        run = await bench.run()
        attempts = bench.runs.task_runs(run.run_id)
        assert run.outcome is Outcome.SUCCESS
        assert [t.attempt_number for t in attempts] == [0, 1, 2]
        assert {t.original_attempt_run_id for t in attempts} == {attempts[0].run_id}

    play(scenario)


def test_a_repair_of_a_for_each_runs_only_the_failed_iterations() -> None:
    async def scenario() -> None:
        loop = {
            "task_key": "loop",
            "for_each_task": {"inputs": '["x", "y", "z"]', "concurrency": 1, "task": task("one")},
        }
        bench = Bench([loop, task("after", "loop")], {"one": [True, False, True]})
        run = await bench.run()
        assert bench.outcomes(run) == {"loop": Outcome.FAILED, "after": Outcome.UPSTREAM_FAILED}
        assert bench.executor.started == ["one"] * 3

        repaired = await bench.repair(run, REPAIR_ALL)

        assert repaired.outcome is Outcome.SUCCESS
        assert bench.executor.started == ["one"] * 4 + ["after"]
        latest = bench.runs.latest_task_runs(run.run_id)["loop"]
        assert sorted(t.input for t in bench.runs.all_iterations(latest)) == ["x", "y", "z"]

    play(scenario)


def test_only_as_many_iterations_run_at_once_as_the_concurrency_says() -> None:
    async def scenario() -> None:
        loop = {
            "task_key": "loop",
            "for_each_task": {"inputs": "[1,2,3]", "concurrency": 2, "task": task("i")},
        }
        bench = Bench([loop], {})
        bench.executor.held = {"i"}
        run = bench.conductor.run_now(bench.job_id, {})
        while len(bench.executor.started) < 2:
            await asyncio.sleep(0.001)
        phases = sorted(t.phase for t in bench.runs.active_task_runs(run.run_id) if t.is_iteration)
        assert phases == [Phase.BLOCKED, Phase.RUNNING, Phase.RUNNING]
        bench.conductor.cancel(run.run_id)
        assert (await bench.until_ended(run.run_id)).outcome is Outcome.CANCELED

    play(scenario)


def test_cancel_ends_what_runs_and_what_waits() -> None:
    async def scenario() -> None:
        bench = Bench(CHAIN, {})
        bench.executor.held = {"b"}
        run = bench.conductor.run_now(bench.job_id, {})
        while "b" not in bench.executor.started:
            await asyncio.sleep(0.001)
        bench.conductor.cancel(run.run_id)
        ended = await bench.until_ended(run.run_id)
        assert (ended.outcome, ended.code, ended.message) == (
            CANCELED.outcome,
            "USER_CANCELED",
            "Run cancelled.",
        )
        assert bench.outcomes(run) == {
            "a": Outcome.SUCCESS,
            "b": Outcome.CANCELED,
            "c": Outcome.CANCELED,
        }

    play(scenario)


def test_a_run_over_the_limit_waits_its_turn_and_is_skipped_without_a_queue() -> None:
    async def scenario() -> None:
        bench = Bench([task("a")], {}, max_concurrent_runs=1)
        bench.executor.held = {"a"}
        first = bench.conductor.run_now(bench.job_id, {})
        second = bench.conductor.run_now(bench.job_id, {})
        skipped = bench.conductor.run_now(bench.job_id, {"queue": {"enabled": False}})
        assert bench.runs.get(second.run_id).phase is Phase.QUEUED
        assert bench.runs.get(skipped.run_id).outcome is Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED
        bench.executor.held = set()
        bench.conductor.cancel(first.run_id)
        assert (await bench.until_ended(second.run_id)).outcome is Outcome.SUCCESS

    play(scenario)


def test_a_token_starts_one_run() -> None:
    async def scenario() -> None:
        bench = Bench([task("a")], {})
        first = bench.conductor.run_now(bench.job_id, {}, token="t")
        await bench.until_ended(first.run_id)
        assert bench.conductor.run_now(bench.job_id, {}, token="t").run_id == first.run_id
        assert bench.executor.started == ["a"]

    play(scenario)


def test_after_a_restart_what_executed_is_an_internal_error_that_can_be_repaired() -> None:
    async def scenario() -> None:
        bench = Bench(CHAIN, {})
        bench.executor.held = {"b"}
        run = bench.conductor.run_now(bench.job_id, {})
        queued = bench.conductor.run_now(bench.job_id, {})
        while "b" not in bench.executor.started:
            await asyncio.sleep(0.001)
        await bench.conductor.stop()

        bench.executor.held = set()
        bench.conductor = bench.new_conductor()
        bench.conductor.recover()

        lost = bench.runs.get(run.run_id)
        assert (lost.outcome, lost.code) == (Outcome.INTERNAL_ERROR, "INTERNAL_ERROR")
        assert (await bench.until_ended(queued.run_id)).outcome is Outcome.SUCCESS
        assert (await bench.repair(run, REPAIR_ALL)).outcome is Outcome.SUCCESS
        assert bench.executor.started == ["a", "b", "a", "b", "c", "b", "c"]

    play(scenario)


RUN_IF = st.sampled_from(
    [
        "ALL_SUCCESS",
        "AT_LEAST_ONE_SUCCESS",
        "NONE_FAILED",
        "ALL_DONE",
        "AT_LEAST_ONE_FAILED",
        "ALL_FAILED",
    ]
)


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    size = draw(st.integers(1, 6))
    keys = [f"t{index}" for index in range(size)]
    return [
        task(
            key,
            *draw(
                st.lists(st.sampled_from(keys[:index]), unique=True, max_size=3)
                if index
                else st.just([])
            ),
            run_if=draw(RUN_IF),
            max_retries=draw(st.integers(0, 1)),
            disabled=draw(st.integers(0, 9)) == 0,
        )
        for index, key in enumerate(keys)
    ]


@settings(max_examples=60, deadline=None)
@given(
    tasks=graphs(),
    script=st.dictionaries(
        st.sampled_from([f"t{n}" for n in range(6)]), st.lists(st.booleans(), min_size=1)
    ),
    repairs=st.integers(0, 3),
)
def test_invariants(
    tasks: list[dict[str, Any]], script: dict[str, list[bool]], repairs: int
) -> None:
    """Every run ends; nothing starts before its dependencies have ended; a repair leaves successes alone."""

    async def scenario() -> None:
        bench = Bench(tasks, script)
        run = await bench.run()
        latest_repair_id = None
        for _ in range(repairs):
            before = bench.runs.latest_task_runs(run.run_id)
            request = RepairRequest(rerun_all_failed_tasks=True, latest_repair_id=latest_repair_id)
            try:
                latest_repair_id = bench.conductor.repair(run.run_id, request, {})
            except InvalidParameterValue:
                assert not any(t.outcome in FAILURES for t in before.values())
                break
            await bench.until_ended(run.run_id)
            after = bench.runs.latest_task_runs(run.run_id)
            succeeded = [key for key, t in before.items() if t.outcome is Outcome.SUCCESS]
            assert all(after[key].run_id == before[key].run_id for key in succeeded)
        _check_order(bench.runs.task_runs(run.run_id))

    play(scenario)


def _check_order(attempts: list[TaskRun]) -> None:
    """Within one execution no attempt starts before the attempts of its dependencies have ended."""
    for attempt in attempts:
        assert attempt.phase is Phase.TERMINATED
        assert attempt.outcome is not None
        earlier = [
            up
            for up in attempts
            if up.task_key in dependencies(attempt.settings) and up.execution <= attempt.execution
        ]
        if attempt.start_time:
            assert all(up.end_time <= attempt.start_time for up in earlier)
