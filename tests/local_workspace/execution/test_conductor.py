"""The life of runs under the conductor, with tasks whose ends are scripted: no process is started here."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from conducted import REPAIR_ALL, Bench, check, play, task

from local_workspace.errors import InvalidParameterValue, OutOfSpace
from local_workspace.execution import run_queue
from local_workspace.execution.attempt import SUCCEEDED, Attempt, Ending
from local_workspace.execution.progress import AT_ONCE
from local_workspace.models.job_settings import checked
from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run_result import CANCELED
from local_workspace.store.database import FULL

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


def test_a_run_that_starts_many_tasks_leaves_turns_to_others() -> None:
    async def scenario() -> None:
        bench = Bench([task(f"t{n}") for n in range(3 * AT_ONCE)], {})
        bench.executor.held = {f"t{n}" for n in range(3 * AT_ONCE)}
        bench.conductor.run_now(bench.job_id, {})
        started = [0]
        while started[-1] < 3 * AT_ONCE:
            await asyncio.sleep(0)
            started.append(len(bench.executor.started))
        assert max(after - before for before, after in pairwise(started)) == AT_ONCE
        await bench.conductor.stop()

    play(scenario)


def test_retries_are_new_attempts_and_the_last_one_decides() -> None:
    async def scenario() -> None:
        bench = Bench([task("a", max_retries=2)], {"a": [False, False, True]})
        run = await bench.run()
        attempts = bench.task_runs.of_run(run.run_id)
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
        latest = bench.task_runs.latest(run.run_id)["loop"]
        assert sorted(t.input for t in bench.task_runs.all_iterations(latest)) == ["x", "y", "z"]

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
        phases = sorted(t.phase for t in bench.task_runs.active(run.run_id) if t.is_iteration)
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


def test_a_run_is_skipped_when_it_has_waited_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_queue, "MAX_HOURS", 0.00001)

    async def scenario() -> None:
        bench = Bench([task("a")], {})
        bench.executor.held = {"a"}
        first = bench.conductor.run_now(bench.job_id, {}).run_id
        queued = bench.conductor.run_now(bench.job_id, {}).run_id
        assert bench.runs.get(queued).phase is Phase.QUEUED
        ended = await bench.until_ended(queued)
        assert ended.outcome is Outcome.MAXIMUM_CONCURRENT_RUNS_REACHED
        assert bench.runs.get(first).is_active
        await bench.conductor.stop()

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


def test_a_run_that_executes_nothing_is_seen_active_first() -> None:
    """And one that executes something ends when it ends."""

    async def scenario() -> None:
        bench = Bench([check("c")], {})
        bench.conductor = bench.new_conductor(least_seconds=0.05)
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        while bench.task_runs.latest(run_id)["c"].is_active:
            await asyncio.sleep(0)
        assert bench.runs.get(run_id).phase is Phase.RUNNING
        assert (await bench.until_ended(run_id)).outcome is Outcome.SUCCESS

        bench.conductor = bench.new_conductor(least_seconds=3600)
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        bench.conductor.cancel(run_id)
        assert (await bench.until_ended(run_id)).outcome is Outcome.CANCELED
        bench.jobs.replace(bench.job_id, checked({"tasks": [task("a")]}))
        assert (await bench.run()).outcome is Outcome.SUCCESS

    play(scenario)


def test_a_run_has_executed_something_where_its_child_has() -> None:
    """Such a run is not kept active any longer."""

    async def scenario() -> None:
        bench = Bench([task("a")], {})
        for inner, has_executed in ((task("a"), True), (check("c"), False)):
            child_id = bench.jobs.create(checked({"name": "child", "tasks": [inner]}))
            caller = {"task_key": "call", "run_job_task": {"job_id": child_id}}
            bench.jobs.replace(bench.job_id, checked({"name": "job", "tasks": [caller]}))
            run = await bench.run()
            assert run.outcome is Outcome.SUCCESS
            assert bench.task_runs.has_executed(run.run_id) is has_executed

    play(scenario)


def test_the_end_of_a_run_is_stored_as_soon_as_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        bench = Bench([task("a")], {})

        def limit_pages(count: int) -> None:
            bench.runs._db.execute(f"PRAGMA max_page_count = {count}")

        async def fill(_: Attempt) -> Ending:
            limit_pages(1)
            return Ending(SUCCEEDED, {"result": "x" * 1_000_000})

        bench.executor.execute = fill  # type: ignore[method-assign]
        bench.conductor = bench.new_conductor()
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        while FULL not in caplog.text:
            await asyncio.sleep(0.001)
        with pytest.raises(OutOfSpace, match=FULL):
            bench.jobs.create({**checked({"tasks": [task("a")]}), "description": "x" * 1_000_000})
        assert bench.runs.get(run_id).is_active
        limit_pages(1_000_000)
        assert (await bench.until_ended(run_id)).outcome is Outcome.SUCCESS

    play(scenario)


def fail(*_: object) -> str:
    raise RuntimeError("a bug")


def test_an_error_of_the_workspace_itself_ends_the_attempt() -> None:
    async def scenario() -> None:
        executed, resolved = Bench([task("a")], {}), Bench([task("a")], {})
        executed.executor.watch = fail
        resolved.host = fail
        for bench in (executed, resolved):
            run = await bench.run()
            (attempt,) = bench.task_runs.of_run(run.run_id)
            assert attempt.outcome is Outcome.INTERNAL_ERROR
            assert attempt.message == "The local workspace failed: a bug"
            assert run.outcome is Outcome.FAILED

    play(scenario)
