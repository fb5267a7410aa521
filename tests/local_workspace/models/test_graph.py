"""The decision matrix of `run_if`, cell by cell."""

import pytest

from local_workspace.models.graph import Finished, ancestors, decide, dependents, run_outcome
from local_workspace.models.lifecycle import Outcome

S, F, X, C, D = (
    Outcome.SUCCESS,
    Outcome.FAILED,
    Outcome.EXCLUDED,
    Outcome.CANCELED,
    Outcome.DISABLED,
)
RUN = None
UPSTREAM_FAILED, UPSTREAM_CANCELED = Outcome.UPSTREAM_FAILED, Outcome.UPSTREAM_CANCELED

RUN_IF = (
    "ALL_SUCCESS",
    "AT_LEAST_ONE_SUCCESS",
    "NONE_FAILED",
    "ALL_DONE",
    "AT_LEAST_ONE_FAILED",
    "ALL_FAILED",
)
MATRIX = [
    ((S, S), (RUN, RUN, RUN, RUN, X, X)),
    ((S, F), (UPSTREAM_FAILED, RUN, UPSTREAM_FAILED, RUN, RUN, X)),
    ((F, F), (UPSTREAM_FAILED, UPSTREAM_FAILED, UPSTREAM_FAILED, RUN, RUN, RUN)),
    ((S, X), (RUN, RUN, RUN, RUN, X, X)),
    ((F, X), (UPSTREAM_FAILED, UPSTREAM_FAILED, UPSTREAM_FAILED, RUN, RUN, X)),
    ((X, X), (X, X, X, X, X, X)),
    ((S, C), (UPSTREAM_CANCELED, RUN, UPSTREAM_CANCELED, RUN, RUN, X)),
    ((C, C), (UPSTREAM_CANCELED, UPSTREAM_CANCELED, UPSTREAM_CANCELED, RUN, RUN, RUN)),
    ((S, D), (D, RUN, RUN, RUN, X, D)),
    ((F, D), (UPSTREAM_FAILED, UPSTREAM_FAILED, UPSTREAM_FAILED, RUN, RUN, D)),
    ((D, D), (D, D, D, RUN, X, D)),
]


@pytest.mark.parametrize(("upstream", "expected"), MATRIX)
def test_run_if(upstream: tuple[Outcome, ...], expected: tuple[Outcome | None, ...]) -> None:
    keys = [f"up{index}" for index in range(len(upstream))]
    finished = {key: Finished(outcome) for key, outcome in zip(keys, upstream, strict=True)}
    task = {"task_key": "down", "depends_on": [{"task_key": key} for key in keys]}

    decided = tuple(decide({**task, "run_if": run_if}, finished) for run_if in RUN_IF)

    assert decided == expected


def test_a_task_without_dependencies_runs() -> None:
    assert decide({"task_key": "a"}, {}) is RUN


def test_a_disabled_task_is_disabled_whatever_its_dependencies() -> None:
    assert decide({"task_key": "a", "disabled": True}, {}) is D


def test_a_dependency_outside_the_run_is_satisfied() -> None:
    assert decide({"task_key": "a", "depends_on": [{"task_key": "unselected"}]}, {}) is RUN


@pytest.mark.parametrize(("branch", "expected"), [("true", RUN), ("false", X)])
def test_only_the_branch_that_was_taken_runs(branch: str, expected: Outcome | None) -> None:
    task = {"task_key": "a", "depends_on": [{"task_key": "check", "outcome": "true"}]}
    assert decide(task, {"check": Finished(S, branch)}) is expected


def test_a_join_after_both_branches_runs() -> None:
    task = {"task_key": "join", "depends_on": [{"task_key": "left"}, {"task_key": "right"}]}
    assert decide(task, {"left": Finished(S), "right": Finished(X)}) is RUN


CHAIN = [
    {"task_key": "a"},
    {"task_key": "b", "depends_on": [{"task_key": "a"}]},
    {"task_key": "c", "depends_on": [{"task_key": "b"}]},
]


def test_ancestors_and_dependents_reach_through_the_chain() -> None:
    assert ancestors(CHAIN, ["c"]) == {"a", "b"}
    assert dependents(CHAIN, ["a"]) == {"b", "c"}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"a": S, "b": S, "c": S}, S),
        ({"a": S, "b": S, "c": X}, S),
        ({"a": F, "b": UPSTREAM_FAILED, "c": UPSTREAM_FAILED}, F),
        ({"a": F, "b": S, "c": S}, Outcome.SUCCESS_WITH_FAILURES),
        ({"a": S, "b": S, "c": Outcome.TIMEDOUT}, F),
    ],
)
def test_the_leaves_decide_the_run(outcomes: dict[str, Outcome], expected: Outcome) -> None:
    assert run_outcome(CHAIN, outcomes) is expected
