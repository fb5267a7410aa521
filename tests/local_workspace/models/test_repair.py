"""Which tasks a repair selects, and when it is refused."""

from typing import Any

import pytest

from local_workspace.errors import InvalidParameterValue, InvalidState
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.repair import RepairRequest, check_repairable, tasks_to_rerun

S, F, UF, X = Outcome.SUCCESS, Outcome.FAILED, Outcome.UPSTREAM_FAILED, Outcome.EXCLUDED

# discover -> extract -> load -> publish; audit depends on nothing
TASKS = [
    {"task_key": "discover"},
    {"task_key": "extract", "depends_on": [{"task_key": "discover"}]},
    {"task_key": "load", "depends_on": [{"task_key": "extract"}]},
    {"task_key": "publish", "depends_on": [{"task_key": "load"}]},
    {"task_key": "audit"},
]
FAILED_AT_EXTRACT = {"discover": S, "extract": F, "load": UF, "publish": X, "audit": S}


def test_all_failed_takes_what_failed_and_what_did_not_run_behind_it() -> None:
    request = RepairRequest(rerun_all_failed_tasks=True)
    assert tasks_to_rerun(request, TASKS, FAILED_AT_EXTRACT) == {"extract", "load", "publish"}


def test_named_tasks_are_taken_alone() -> None:
    request = RepairRequest(rerun_tasks=("audit",))
    assert tasks_to_rerun(request, TASKS, FAILED_AT_EXTRACT) == {"audit"}


def test_dependents_run_again_even_if_they_had_succeeded() -> None:
    outcomes = dict.fromkeys(("discover", "extract", "load", "publish", "audit"), S)
    request = RepairRequest(rerun_tasks=("load",), rerun_dependent_tasks=True)
    assert tasks_to_rerun(request, TASKS, outcomes) == {"load", "publish"}


def test_nothing_to_repair_is_refused() -> None:
    outcomes = dict.fromkeys(("discover", "extract"), S)
    with pytest.raises(InvalidParameterValue, match="no failed task to repair"):
        tasks_to_rerun(RepairRequest(rerun_all_failed_tasks=True), TASKS, outcomes)


@pytest.mark.parametrize(
    ("keys", "message"),
    [(("load", "load"), "cannot contain duplicate task keys"), (("nope",), "does not have: nope")],
)
def test_bad_task_keys_are_refused(keys: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidParameterValue, match=message):
        tasks_to_rerun(RepairRequest(rerun_tasks=keys), TASKS, FAILED_AT_EXTRACT)


def check(request: RepairRequest, **run: Any) -> None:
    fine = {"is_active": False, "was_skipped": False, "latest_repair_id": None}
    check_repairable(request, **{**fine, **run})


def test_a_skipped_run_is_refused() -> None:
    with pytest.raises(InvalidState, match="The run was skipped"):
        check(RepairRequest(rerun_tasks=("a",)), was_skipped=True)


def test_an_active_run_is_refused() -> None:
    with pytest.raises(InvalidState, match="still active"):
        check(RepairRequest(rerun_all_failed_tasks=True), is_active=True)


@pytest.mark.parametrize(
    "request_", [RepairRequest(), RepairRequest(rerun_tasks=("a",), rerun_all_failed_tasks=True)]
)
def test_exactly_one_selector_is_needed(request_: RepairRequest) -> None:
    with pytest.raises(InvalidParameterValue, match="exactly one of"):
        check(request_)


@pytest.mark.parametrize(
    ("sent", "latest", "message"),
    [
        (None, 5, "latest repair ID needs to be provided"),
        (4, 5, "is not the latest"),
        (4, None, "has no repair yet"),
    ],
)
def test_the_latest_repair_has_to_be_known(
    sent: int | None, latest: int | None, message: str
) -> None:
    request = RepairRequest(rerun_all_failed_tasks=True, latest_repair_id=sent)
    with pytest.raises(InvalidParameterValue, match=message):
        check(request, latest_repair_id=latest)
