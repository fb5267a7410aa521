"""The life of runs under the conductor, with tasks whose ends are scripted: no process is started here."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.errors import InvalidParameterValue
from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending
from local_workspace.execution.conductor import CANCELED, Conductor
from local_workspace.models.graph import dependencies, run_outcome
from local_workspace.models.job_settings import checked
from local_workspace.models.lifecycle import FAILURES, NEVER_RAN, Outcome, Phase
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

    def new_conductor(self, least_seconds: float = 0.0) -> Conductor:
        return Conductor(
            jobs=self.jobs,
            runs=self.runs,
            execute=self.executor.execute,
            host=lambda: "http://host",
            least_seconds=least_seconds,
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


def check(key: str, *after: str) -> dict[str, Any]:
    test = {"op": "EQUAL_TO", "left": "1", "right": "1"}
    depends_on = [{"task_key": up} for up in after]
    return {"task_key": key, "condition_task": test, "depends_on": depends_on}


@contextmanager
def little_stack() -> Iterator[None]:
    """Room for a hundred more frames than now."""
    before, depth = sys.getrecursionlimit(), len(inspect.stack(0))
    sys.setrecursionlimit(depth + 100)
    yield
    sys.setrecursionlimit(before)


def test_a_long_chain_and_a_long_queue_of_what_ends_at_once_need_no_deep_stack() -> None:
    async def scenario() -> None:
        bench = Bench([task("first"), check("c0", "first")], {}, max_concurrent_runs=1)
        chain = [check("c0"), *(check(f"c{n}", f"c{n - 1}") for n in range(1, 60))]
        long_job = bench.jobs.create(checked({"name": "long", "tasks": chain}))
        bench.executor.held = {"first"}
        first = bench.conductor.run_now(bench.job_id, {})
        bench.jobs.replace(bench.job_id, checked({"tasks": [check("c")]}))
        queued = [bench.conductor.run_now(bench.job_id, {}) for _ in range(60)]
        with little_stack():
            long_run = bench.conductor.run_now(long_job, {})
            bench.conductor.cancel(first.run_id)
            last = await bench.until_ended(queued[-1].run_id)
        assert bench.runs.get(long_run.run_id).outcome is Outcome.SUCCESS
        assert last.outcome is Outcome.SUCCESS

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


def test_a_run_that_executes_nothing_is_seen_active_first() -> None:
    """And one that executes something ends when it ends."""

    async def scenario() -> None:
        bench = Bench([check("c")], {})
        bench.conductor = bench.new_conductor(least_seconds=0.05)
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        assert bench.runs.get(run_id).phase is Phase.RUNNING
        assert bench.runs.latest_task_runs(run_id)["c"].outcome is Outcome.SUCCESS
        assert (await bench.until_ended(run_id)).outcome is Outcome.SUCCESS

        bench.conductor = bench.new_conductor(least_seconds=3600)
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        bench.conductor.cancel(run_id)
        assert (await bench.until_ended(run_id)).outcome is Outcome.CANCELED
        bench.jobs.replace(bench.job_id, checked({"tasks": [task("a")]}))
        assert (await bench.run()).outcome is Outcome.SUCCESS

    play(scenario)


KEYS = [f"t{index}" for index in range(6)]


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Notebooks, conditions and loops over notebooks, each behind up to three earlier tasks."""
    return [draw(tasks(key, KEYS[:index])) for index, key in enumerate(KEYS[: draw(SIZES)])]


SIZES = st.integers(1, len(KEYS))


@st.composite
def tasks(draw: st.DrawFn, key: str, earlier: list[str]) -> dict[str, Any]:
    after = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
    common = {"run_if": draw(RUN_IF), "disabled": draw(st.integers(0, 9)) == 0}
    match draw(st.sampled_from(["notebook", "notebook", "condition", "loop"])):
        case "condition":
            return {**check(key, *after), **common}
        case "loop":
            inner = task(f"{key}_i", max_retries=draw(st.integers(0, 1)))
            loop = {
                "inputs": str(list(range(draw(st.integers(0, 4))))),
                "concurrency": draw(st.integers(1, 3)),
                "task": inner,
            }
            depends_on = [{"task_key": up} for up in after]
            return {"task_key": key, "for_each_task": loop, "depends_on": depends_on, **common}
    return task(key, *after, max_retries=draw(st.integers(0, 1)), **common)


SCRIPTS = st.dictionaries(
    st.sampled_from([*KEYS, *(f"{key}_i" for key in KEYS)]), st.lists(st.booleans(), min_size=1)
)
REPAIRS = st.lists(
    st.builds(
        RepairRequest,
        rerun_tasks=st.lists(st.sampled_from(KEYS), unique=True, max_size=2).map(tuple),
        rerun_all_failed_tasks=st.booleans(),
        rerun_dependent_tasks=st.booleans(),
    ),
    max_size=3,
)
CANCELS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=2)
"""After how many turns of the event loop something is cancelled: the run (0), or one of its active task runs."""


async def cancel_at(bench: Bench, run_id: int, turns: int, which: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    active = bench.runs.active_task_runs(run_id)
    bench.conductor.cancel(active[which % len(active)].run_id if which and active else run_id)


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), script=SCRIPTS, repairs=REPAIRS, cancels=CANCELS)
def test_invariants(
    graph: list[dict[str, Any]],
    script: dict[str, list[bool]],
    repairs: list[RepairRequest],
    cancels: list[tuple[int, int]],
) -> None:
    """Whatever fails, is cancelled and is repaired: every run ends, in order, and as its tasks did."""

    async def scenario() -> None:
        bench = Bench(graph, script)
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        for repair in (None, *repairs):
            before = Snapshot(bench, run_id)
            if repair is not None and not repaired(bench, run_id, repair, before):
                continue
            for turns, which in cancels:
                await cancel_at(bench, run_id, turns, which)
            await bench.until_ended(run_id)
            check_ended(bench, run_id)
            if repair is not None:
                before.check_kept(Snapshot(bench, run_id), repair)

    play(scenario)


def repaired(bench: Bench, run_id: int, repair: RepairRequest, before: Snapshot) -> bool:
    """Whether the repair was accepted; it is refused only for a reason."""
    latest = bench.runs.latest_execution(run_id).repair_id
    try:
        bench.conductor.repair(run_id, replace(repair, latest_repair_id=latest), {})
    except InvalidParameterValue:
        one_selector = bool(repair.rerun_tasks) is not repair.rerun_all_failed_tasks
        unknown = set(repair.rerun_tasks) - set(before.latest)
        failed = [t for t in before.latest.values() if t.outcome in FAILURES]
        assert not one_selector or unknown or not failed
        assert bench.runs.get(run_id).phase is Phase.TERMINATED
        return False
    return True


class Snapshot:
    """The newest attempt of each task, and of each iteration of each loop, at one moment."""

    def __init__(self, bench: Bench, run_id: int) -> None:
        self.latest = bench.runs.latest_task_runs(run_id)
        self.iterations = {
            key: {t.iteration: t for t in bench.runs.all_iterations(loop)}
            for key, loop in self.latest.items()
            if loop.kind == "for_each_task"
        }

    def check_kept(self, after: Snapshot, repair: RepairRequest) -> None:
        """What had succeeded is not run again unless it was asked for, iterations included."""
        if not repair.rerun_all_failed_tasks or repair.rerun_dependent_tasks:
            return
        for key, attempt in self.latest.items():
            if attempt.outcome is Outcome.SUCCESS:
                assert after.latest[key].run_id == attempt.run_id
        for key, iterations in self.iterations.items():
            opened = "total" in after.latest[key].output
            for index, iteration in iterations.items() if opened else ():
                if iteration.outcome is Outcome.SUCCESS:
                    assert after.iterations[key][index].run_id == iteration.run_id


def check_ended(bench: Bench, run_id: int) -> None:
    run, attempts = bench.runs.get(run_id), bench.runs.task_runs(run_id)
    everything = attempts + [i for t in attempts for i in bench.runs.iterations(t.run_id)]
    for attempt in everything:
        assert attempt.phase is Phase.TERMINATED
        assert attempt.outcome is not None
        assert attempt.code
        assert attempt.end_time >= attempt.start_time
        if attempt.outcome in NEVER_RAN:
            assert attempt.start_time == 0
    _check_order(attempts)
    _check_concurrency(bench, attempts)
    executions = bench.runs.executions(run_id)
    assert (executions[-1].outcome, executions[-1].end_time) == (run.outcome, run.end_time)
    assert all(execution.end_time for execution in executions)
    latest = bench.runs.latest_task_runs(run_id)
    if run.outcome is not Outcome.CANCELED:
        outcomes = {key: t.outcome for key, t in latest.items() if t.outcome}
        assert run.outcome is run_outcome(executions[-1].tasks, outcomes)


def _check_order(attempts: list[TaskRun]) -> None:
    """No attempt starts before the attempts of its dependencies have ended, and starts only increase."""
    starts: dict[str, int] = {}
    for attempt in attempts:
        earlier = [
            up
            for up in attempts
            if up.task_key in dependencies(attempt.settings) and up.execution <= attempt.execution
        ]
        if attempt.start_time:
            # A start may be moved on by a millisecond, so that a task's starts only increase.
            assert all(up.end_time <= attempt.start_time for up in earlier)
            assert starts.get(attempt.task_key, 0) < attempt.start_time
            starts[attempt.task_key] = attempt.start_time


def _check_concurrency(bench: Bench, attempts: list[TaskRun]) -> None:
    for loop in (t for t in attempts if t.kind == "for_each_task"):
        iterations = [t for t in bench.runs.iterations(loop.run_id) if t.start_time]
        limit = loop.settings["for_each_task"]["concurrency"]
        for one in iterations:
            at_once = [t for t in iterations if t.start_time <= one.start_time < t.end_time]
            assert len(at_once) <= limit
