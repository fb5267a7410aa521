"""Runs and repairs of random graphs end as a small model says, which is written from Databricks' documentation.

https://docs.databricks.com/aws/en/jobs/run-if and
https://docs.databricks.com/aws/en/jobs/repair-job-failures.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import Any

from conducted import Bench, check, play, task
from hypothesis import given, settings
from hypothesis import strategies as st

from local_workspace.models.repair import RepairRequest

KEYS = [f"t{index}" for index in range(6)]
# MODEL_EXAMPLES=20000 searches for long; a normal test run has a few seconds.
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "50"))
RUN_IF = (
    "ALL_SUCCESS",
    "AT_LEAST_ONE_SUCCESS",
    "NONE_FAILED",
    "ALL_DONE",
    "AT_LEAST_ONE_FAILED",
    "ALL_FAILED",
)
BAD = {"FAILED", "UPSTREAM_FAILED"}
Json = dict[str, Any]


class Model:
    """How each task ended, and how often each notebook was executed."""

    def __init__(self, graph: list[Json], script: dict[str, list[bool]]) -> None:
        self._graph, self._script = graph, script
        self.ends: dict[str, str] = {}
        self.executed: Counter[str] = Counter()

    def run(self, keys: set[str]) -> None:
        """Runs these tasks; the graph is in an order in which dependencies come first."""
        for one in self._graph:
            if one["task_key"] in keys:
                self.ends[one["task_key"]] = self._kept_from_running(one) or self._execute(one)

    def _kept_from_running(self, one: Json) -> str | None:
        ends = [self.ends[up["task_key"]] for up in one["depends_on"]]
        if not ends:
            return None
        if set(ends) == {"EXCLUDED"} or any(map(self._other_branch, one["depends_on"])):
            return "EXCLUDED"
        bad = [end in BAD for end in ends]
        runs, otherwise = {
            "ALL_SUCCESS": (not any(bad), "UPSTREAM_FAILED"),
            "AT_LEAST_ONE_SUCCESS": ("SUCCESS" in ends, "UPSTREAM_FAILED"),
            "NONE_FAILED": (not any(bad), "UPSTREAM_FAILED"),
            "ALL_DONE": (True, ""),
            "AT_LEAST_ONE_FAILED": (any(bad), "EXCLUDED"),
            "ALL_FAILED": (all(bad), "EXCLUDED"),
        }[one["run_if"]]
        return None if runs else otherwise

    def _other_branch(self, up: Json) -> bool:
        if "outcome" not in up or self.ends[up["task_key"]] != "SUCCESS":
            return False
        condition = next(t for t in self._graph if t["task_key"] == up["task_key"])
        holds = condition["condition_task"]["left"] == "1"
        return bool(up["outcome"] != str(holds).lower())

    def _execute(self, one: Json) -> str:
        if "condition_task" in one:
            return "SUCCESS"
        key = one["task_key"]
        results = self._script.get(key, [True])
        for _ in range(one["max_retries"] + 1):
            succeeded = results[min(self.executed[key], len(results) - 1)]
            self.executed[key] += 1
            if succeeded:
                return "SUCCESS"
        return "FAILED"

    def behind(self, keys: set[str]) -> set[str]:
        found = set(keys)
        for one in self._graph:
            if any(up["task_key"] in found for up in one["depends_on"]):
                found.add(one["task_key"])
        return found - keys

    def to_rerun(self, repair: RepairRequest) -> set[str]:
        keys = set(repair.rerun_tasks)
        if repair.rerun_all_failed_tasks:
            keys = {key for key, end in self.ends.items() if end in BAD}
            keys |= {key for key in self.behind(keys) if self.ends[key] == "EXCLUDED"}
        return keys | (self.behind(keys) if repair.rerun_dependent_tasks else set())

    def result(self) -> str:
        inner = {up["task_key"] for one in self._graph for up in one["depends_on"]}
        if any(end in BAD for key, end in self.ends.items() if key not in inner):
            return "FAILED"
        return "SUCCESS_WITH_FAILURES" if BAD & set(self.ends.values()) else "SUCCESS"


@st.composite
def graphs(draw: st.DrawFn) -> list[Json]:
    graph: list[Json] = []
    for key in KEYS[: draw(st.integers(1, len(KEYS)))]:
        ups = draw(st.sets(st.integers(0, len(graph) - 1), max_size=3)) if graph else set()
        depends_on = [draw(dependencies(graph[up])) for up in sorted(ups)]
        if draw(st.integers(0, 3)) == 0:
            one = check(key, left=draw(st.sampled_from(["1", "2"])))
        else:
            one = task(key, max_retries=draw(st.integers(0, 2)))
        graph.append({**one, "depends_on": depends_on, "run_if": draw(st.sampled_from(RUN_IF))})
    return graph


@st.composite
def dependencies(draw: st.DrawFn, up: Json) -> Json:
    on_branch = "condition_task" in up and draw(st.booleans())
    branch = {"outcome": draw(st.sampled_from(["true", "false"]))} if on_branch else {}
    return {"task_key": up["task_key"], **branch}


SCRIPTS = st.dictionaries(st.sampled_from(KEYS), st.lists(st.booleans(), min_size=1, max_size=5))
NAMED = st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=2).map(tuple)
REPAIRS = st.lists(
    st.one_of(
        st.builds(RepairRequest, rerun_tasks=NAMED, rerun_dependent_tasks=st.booleans()),
        st.builds(
            RepairRequest, rerun_all_failed_tasks=st.just(True), rerun_dependent_tasks=st.booleans()
        ),
    ),
    max_size=3,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(graph=graphs(), script=SCRIPTS, repairs=REPAIRS)
def test_runs_and_repairs_end_as_the_model_says(
    graph: list[Json], script: dict[str, list[bool]], repairs: list[RepairRequest]
) -> None:
    async def scenario() -> None:
        bench, model = Bench(graph, script), Model(graph, script)
        keys = {one["task_key"] for one in graph}
        run = await bench.run()
        model.run(keys)
        compare(bench, run.run_id, model)
        for repair in repairs:
            again = model.to_rerun(repair)
            if not again or not again <= keys:
                continue
            latest = bench.runs.latest_execution(run.run_id).repair_id
            run = await bench.repair(run, replace(repair, latest_repair_id=latest))
            model.run(again)
            compare(bench, run.run_id, model)

    play(scenario)


def compare(bench: Bench, run_id: int, model: Model) -> None:
    run = bench.runs.get(run_id)
    assert bench.outcomes(run) == model.ends
    assert Counter(bench.executor.started) == model.executed
    assert run.outcome == model.result()
