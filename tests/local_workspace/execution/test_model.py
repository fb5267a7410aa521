"""Runs, repairs, cancellations, time-outs and kills of random graphs end as a small independent model says."""

from __future__ import annotations

import asyncio
import os
from copy import deepcopy
from dataclasses import dataclass, replace

from conducted import Bench, Script, check, play, task
from hypothesis import given, settings
from hypothesis import strategies as st
from job_model import JobModel, Json

from local_workspace.models.graph import RUN_IF_VALUES
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run_result import TIMED_OUT

KEYS = [f"t{index}" for index in range(6)]
# MODEL_EXAMPLES=20000 searches for long; a normal test run has a few seconds.
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "50"))
RUN_IF = sorted(RUN_IF_VALUES)
CANCEL_RUN, CANCEL_TASK, KILL = "cancel the run", "cancel the task", "kill the workspace"


@dataclass(frozen=True)
class Interruption:
    """Happens while the first attempt of the task executes; not at all where the task does not run."""

    kind: str
    key: str


@st.composite
def graphs(draw: st.DrawFn) -> list[Json]:
    graph: list[Json] = []
    for key in KEYS[: draw(st.integers(1, len(KEYS)))]:
        ups = draw(st.sets(st.integers(0, len(graph) - 1), max_size=3)) if graph else set()
        depends_on = [draw(dependencies(graph[up])) for up in sorted(ups)]
        one = draw(tasks(key))
        graph.append({**one, "depends_on": depends_on, "run_if": draw(st.sampled_from(RUN_IF))})
    return graph


@st.composite
def tasks(draw: st.DrawFn, key: str) -> Json:
    match draw(st.integers(0, 5)):
        case 0:
            return check(key, left=draw(st.sampled_from(["1", "2"])))
        case 1:
            inputs = str(list(range(draw(st.integers(1, 3)))))
            return {"task_key": key, "for_each_task": {"inputs": inputs, "task": task(f"{key}_i")}}
    retries = {"max_retries": draw(st.integers(0, 2)), "retry_on_timeout": draw(st.booleans())}
    return task(key, **retries)


@st.composite
def dependencies(draw: st.DrawFn, up: Json) -> Json:
    on_branch = "condition_task" in up and draw(st.booleans())
    branch = {"outcome": draw(st.sampled_from(["true", "false"]))} if on_branch else {}
    return {"task_key": up["task_key"], **branch}


SCRIPTS = st.dictionaries(
    st.sampled_from([*KEYS, *(f"{key}_i" for key in KEYS)]),
    st.lists(st.sampled_from([True, False, TIMED_OUT]), min_size=1, max_size=5),
)
NAMED = st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=2).map(tuple)
REPAIRS = st.one_of(
    st.builds(RepairRequest, rerun_tasks=NAMED, rerun_dependent_tasks=st.booleans()),
    st.builds(
        RepairRequest, rerun_all_failed_tasks=st.just(True), rerun_dependent_tasks=st.booleans()
    ),
)
INTERRUPTIONS = st.none() | st.builds(
    Interruption, st.sampled_from([CANCEL_RUN, CANCEL_TASK, KILL]), st.sampled_from(KEYS)
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    graph=graphs(),
    script=SCRIPTS,
    first=INTERRUPTIONS,
    repairs=st.lists(st.tuples(REPAIRS, INTERRUPTIONS), max_size=3),
)
def test_runs_and_repairs_end_as_the_model_says(
    graph: list[Json],
    script: Script,
    first: Interruption | None,
    repairs: list[tuple[RepairRequest, Interruption | None]],
) -> None:
    async def scenario() -> None:
        bench, model = Bench(graph, script), JobModel(graph, script)
        keys = {one["task_key"] for one in graph}
        run_id = bench.conductor.run_now(bench.job_id, {}).run_id
        await compare(bench, run_id, model, keys, first)
        for repair, interruption in repairs:
            again = model.to_rerun(repair)
            if not again or not again <= keys:
                continue
            latest = bench.runs.latest_execution(run_id).repair_id
            bench.conductor.repair(run_id, replace(repair, latest_repair_id=latest), {})
            await compare(bench, run_id, model, again, interruption)

    play(scenario)


async def compare(
    bench: Bench, run_id: int, model: JobModel, keys: set[str], planned: Interruption | None
) -> None:
    """The run ends with these tasks run once more, as the model says."""
    happened = await ended(bench, run_id, planned)
    number = bench.runs.latest_execution(run_id).number
    runs = bench.task_runs.of_run(run_id)
    assert {t.task_key for t in runs if t.execution == number} == keys
    if happened is None:
        model.run(keys, {})
    elif happened.kind == CANCEL_TASK:
        model.run(keys, {happened.key: "CANCELED"})
    else:
        adopt(bench, run_id, model, keys, happened)
        return
    assert bench.outcomes(bench.runs.get(run_id)) == model.ends
    assert bench.executor.attempts == model.executed
    assert bench.runs.get(run_id).outcome == model.result()


async def ended(bench: Bench, run_id: int, planned: Interruption | None) -> Interruption | None:
    """The interruption, if it came to that before the run had ended."""
    if planned is None:
        await bench.until_ended(run_id)
        return None
    before = bench.executor.attempts[planned.key]
    bench.executor.held.add(planned.key)
    while bench.runs.get(run_id).is_active and bench.executor.attempts[planned.key] == before:
        await asyncio.sleep(0.001)
    bench.executor.held.discard(planned.key)
    if not bench.runs.get(run_id).is_active:
        return None
    match planned.kind:
        case "kill the workspace":
            await bench.restart()
        case "cancel the task":
            bench.conductor.cancel(bench.task_runs.latest(run_id)[planned.key].run_id)
        case _:
            bench.conductor.cancel(run_id)
    await bench.until_ended(run_id)
    return planned


def adopt(
    bench: Bench, run_id: int, model: JobModel, keys: set[str], happened: Interruption
) -> None:
    """Check what is certain: any other task ended by itself or with the run. The model goes on from there."""
    end, unfinished = {
        CANCEL_RUN: ("CANCELED", {"CANCELED"}),
        KILL: ("INTERNAL_ERROR", {"INTERNAL_ERROR", "UPSTREAM_FAILED"}),
    }[happened.kind]
    finished = deepcopy(model)
    finished.run(keys, {happened.key: end})
    seen = bench.outcomes(bench.runs.get(run_id))
    assert bench.runs.get(run_id).outcome == end
    assert seen[happened.key] == end
    assert all(seen[key] in {finished.ends[key], *unfinished} for key in seen)
    after = model.behind([happened.key])
    assert all(bench.executor.attempts[key] == model.executed[key] for key in after)
    model.ends = {key: str(outcome) for key, outcome in seen.items()}
    model.executed = bench.executor.attempts
    for key, latest in bench.task_runs.latest(run_id).items():
        if latest.kind == "for_each_task" and "total" in latest.output:
            succeeded = {
                int(t.iteration)
                for t in bench.task_runs.all_iterations(latest)
                if t.iteration is not None and t.outcome is Outcome.SUCCESS
            }
            model.iterations[key] = set() if seen[key] == "SUCCESS" else succeeded
