"""What holds whatever fails, is cancelled, restarted and repaired: random graphs, outcomes and requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conducted import Bench, check, play, task
from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.errors import InvalidParameterValue
from local_workspace.execution.attempt import Attempt
from local_workspace.models.graph import RUN_IF_VALUES, dependencies, dependents, run_outcome
from local_workspace.models.lifecycle import FAILURES, NEVER_RAN, Outcome, Phase
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run import TaskRun

KEYS = [f"t{index}" for index in range(6)]
KINDS = st.sampled_from(["notebook", "notebook", "condition", "loop"])
ONE_IN_TEN = st.integers(0, 9).map(lambda number: number == 0)


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Notebooks, conditions and loops, each behind up to three earlier tasks or branches."""
    graph: list[dict[str, Any]] = []
    for key in KEYS[: draw(st.integers(1, len(KEYS)))]:
        upstream = (
            draw(st.lists(st.sampled_from(graph), unique_by=_key, max_size=3)) if graph else []
        )
        common = {
            "run_if": draw(st.sampled_from(sorted(RUN_IF_VALUES))),
            "disabled": draw(ONE_IN_TEN),
            "depends_on": [draw(dependency(up)) for up in upstream],
        }
        graph.append({**draw(tasks(key)), **common})
    return graph


def _key(task: Mapping[str, Any]) -> str:
    return str(task["task_key"])


@st.composite
def dependency(draw: st.DrawFn, up: Mapping[str, Any]) -> dict[str, str]:
    branch = {"outcome": draw(st.sampled_from(["true", "false"]))}
    on_branch = "condition_task" in up and draw(st.booleans())
    return {"task_key": up["task_key"], **(branch if on_branch else {})}


@st.composite
def tasks(draw: st.DrawFn, key: str) -> dict[str, Any]:
    retries = draw(st.integers(0, 1))
    match draw(KINDS):
        case "condition":
            return check(key, left=draw(st.sampled_from(["1", "2", "{{job.nothing}}"])))
        case "loop":
            loop = {
                "inputs": str(list(range(draw(st.integers(0, 4))))),
                "concurrency": draw(st.integers(1, 3)),
                "task": task(f"{key}_i", max_retries=retries),
            }
            return {"task_key": key, "for_each_task": loop}
    return task(key, max_retries=retries)


SCRIPTS = st.dictionaries(
    st.sampled_from([*KEYS, *(f"{key}_i" for key in KEYS)]), st.lists(st.booleans(), min_size=1)
)
ONLY = st.one_of(st.just([]), st.lists(st.sampled_from(["t0+", "+t0", "t0"]), max_size=2))
REPAIRS = st.lists(
    st.builds(
        RepairRequest,
        rerun_tasks=st.lists(st.sampled_from(KEYS), unique=True, max_size=2).map(tuple),
        rerun_all_failed_tasks=st.booleans(),
        rerun_dependent_tasks=st.booleans(),
    ),
    max_size=3,
)
RUN, RESTART = 0, -1
EVENTS = st.lists(st.tuples(st.integers(0, 12), st.integers(RESTART, 6)), max_size=2)
"""After how many turns of the event loop: the run is cancelled, or one of its active task runs, or all is restarted."""


async def happen(bench: Bench, run_id: int, turns: int, what: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    active = bench.task_runs.active(run_id)
    if what == RESTART:
        await bench.restart()
        lost = (Outcome.INTERNAL_ERROR, Outcome.CANCELED)
        assert not active or bench.runs.get(run_id).outcome in lost
        return
    bench.conductor.cancel(active[what % len(active)].run_id if what != RUN and active else run_id)


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), script=SCRIPTS, only=ONLY, repairs=REPAIRS, events=EVENTS)
def test_invariants(
    graph: list[dict[str, Any]],
    script: dict[str, list[bool]],
    only: list[str],
    repairs: list[RepairRequest],
    events: list[tuple[int, int]],
) -> None:
    """Every run ends, in order, and as its tasks did; what had succeeded is not run again by a repair."""

    async def scenario() -> None:
        bench = Bench(graph, script)
        witness = Witness(bench)
        run_id = bench.conductor.run_now(bench.job_id, {"only": only}).run_id
        for repair in (None, *repairs):
            before = Snapshot(bench, run_id)
            if repair is not None and not repaired(bench, run_id, repair, before):
                continue
            for turns, what in events:
                await happen(bench, run_id, turns, what)
            await bench.until_ended(run_id)
            check_ended(bench, run_id)
            if repair is not None:
                before.check_kept(Snapshot(bench, run_id), repair, graph)
        assert witness.faults == []

    play(scenario)


class Witness:
    """Sees each attempt that is executed, at the moment it starts."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._seen: set[int] = set()
        self.faults: list[str] = []
        bench.executor.watch = self.see

    def see(self, attempt: Attempt) -> None:
        task_run = attempt.task_run
        latest = self._bench.task_runs.latest(task_run.job_run_id)
        outer = next((t for t in latest.values() if t.run_id == task_run.for_each_run_id), task_run)
        early = [up for up in dependencies(outer.settings) if up in latest and latest[up].is_active]
        for fault, is_there in (
            ("started before its dependencies had ended", early),
            ("executed twice", task_run.run_id in self._seen),
            ("started in a run that has ended", not self._is_active(task_run)),
        ):
            if is_there:
                self.faults.append(f"{task_run.task_key}: {fault}")
        self._seen.add(task_run.run_id)

    def _is_active(self, task_run: TaskRun) -> bool:
        return self._bench.runs.get(task_run.job_run_id).is_active


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
        self.latest = bench.task_runs.latest(run_id)
        self.iterations = {
            key: {t.iteration: t for t in bench.task_runs.all_iterations(loop)}
            for key, loop in self.latest.items()
            if loop.kind == "for_each_task"
        }

    def check_kept(
        self, after: Snapshot, repair: RepairRequest, graph: list[dict[str, Any]]
    ) -> None:
        """Only what was asked for runs again; of a loop only what had not succeeded, unless it was named."""
        again = {key for key in after.latest if after.latest[key].run_id != self.latest[key].run_id}
        succeeded = {key for key, t in self.latest.items() if t.outcome is Outcome.SUCCESS}
        named = set(repair.rerun_tasks)
        selected = named or set(self.latest) - succeeded
        wanted = selected | (dependents(graph, selected) if repair.rerun_dependent_tasks else set())
        assert again <= wanted
        assert named <= again
        for key, iterations in self.iterations.items():
            opened = "total" in after.latest[key].output and key not in succeeded
            for index, iteration in iterations.items() if opened else ():
                if iteration.outcome is Outcome.SUCCESS:
                    assert after.iterations[key][index].run_id == iteration.run_id


def check_ended(bench: Bench, run_id: int) -> None:
    run, attempts = bench.runs.get(run_id), bench.task_runs.of_run(run_id)
    for attempt in attempts + [i for t in attempts for i in bench.task_runs.iterations(t.run_id)]:
        assert attempt.phase is Phase.TERMINATED
        assert attempt.outcome is not None
        assert attempt.code
        assert "The local workspace failed" not in attempt.message
        assert attempt.end_time >= attempt.start_time
        assert attempt.attempt_number <= attempt.settings.get("max_retries", 0)
        if attempt.outcome in NEVER_RAN:
            assert attempt.start_time == 0
    _check_order(attempts)
    _check_concurrency(bench, attempts)
    executions = bench.runs.executions(run_id)
    assert (executions[-1].outcome, executions[-1].end_time) == (run.outcome, run.end_time)
    assert all(execution.end_time for execution in executions)
    latest = bench.task_runs.latest(run_id)
    if run.outcome not in (Outcome.CANCELED, Outcome.INTERNAL_ERROR):
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
        iterations = [t for t in bench.task_runs.iterations(loop.run_id) if t.start_time]
        limit = loop.settings["for_each_task"]["concurrency"]
        for one in iterations:
            at_once = [t for t in iterations if t.start_time <= one.start_time < t.end_time]
            assert len(at_once) <= limit
