"""Repair through the API: which tasks run again, what changes in the run, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue, InvalidState
from expect import refused
from scripted import (
    ENDED,
    ScriptedWorkspace,
    entries,
    for_each,
    life_cycle,
    notebook,
    results,
    run_job,
)

CHAIN = (notebook("a"), notebook("b", "a"), notebook("c", "b"))


def bad(call: Any, message: str) -> None:
    refused(InvalidParameterValue, "INVALID_PARAMETER_VALUE", message, call)


def failed_chain(scripted: ScriptedWorkspace, **job: Any) -> dict[str, Any]:
    scripted.tasks.endings["b"] = [False, True]
    return scripted.run(scripted.create(*CHAIN, **job))


def test_a_repair_continues_the_same_run(scripted: ScriptedWorkspace) -> None:
    before = failed_chain(scripted)
    assert results(before) == {"a": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED"}

    after = scripted.repair(before["run_id"], rerun_all_failed_tasks=True)

    assert (after["run_id"], after["start_time"]) == (before["run_id"], before["start_time"])
    assert after["state"]["result_state"] == "SUCCESS"
    assert after["end_time"] >= before["end_time"]
    assert after["run_duration"] == after["end_time"] - after["start_time"]
    assert scripted.tasks.started() == ["a", "b", "b", "c"]
    assert after["tasks"][: len(before["tasks"])] == before["tasks"]
    old, new = entries(after, "b")
    assert (old["attempt_number"], new["attempt_number"]) == (0, 0)
    assert new["start_time"] > old["start_time"]
    assert new["run_id"] != old["run_id"]
    original, repair = after["repair_history"]
    assert "id" not in original
    assert (original["type"], repair["type"]) == ("ORIGINAL", "REPAIR")
    assert repair["id"] == after["repair_id"]
    assert original["state"] == before["state"]
    assert repair["state"] == after["state"]
    assert original["task_run_ids"] == [task["run_id"] for task in before["tasks"]]
    assert repair["task_run_ids"] == [new["run_id"], entries(after, "c")[-1]["run_id"]]
    assert (original["end_time"], repair["end_time"]) == (before["end_time"], after["end_time"])


def test_a_repaired_run_is_active_at_once(scripted: ScriptedWorkspace) -> None:
    """Airflow polls right after the call and would take the old end for the new one."""
    run_id = failed_chain(scripted)["run_id"]
    scripted.tasks.held = {"b"}
    scripted.client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    view = scripted.get("runs/get", run_id=run_id, include_history=True)
    assert life_cycle(view) not in ENDED
    assert view["end_time"] == 0
    assert view["repair_history"][1]["state"] == view["state"]
    assert view["repair_history"][0]["state"]["result_state"] == "FAILED"
    refused(
        InvalidState,
        "INVALID_STATE",
        "The run is still active; a run can be repaired only after it has ended.",
        lambda: scripted.client.jobs.repair_run(run_id, rerun_tasks=["a"]),
    )


@pytest.mark.parametrize(
    ("request_", "again"),
    [
        ({"rerun_tasks": ["b"]}, ["b"]),
        ({"rerun_tasks": ["b"], "rerun_dependent_tasks": True}, ["b", "c"]),
        ({"rerun_tasks": ["a"], "rerun_dependent_tasks": True}, ["a", "b", "c"]),
        ({"rerun_all_failed_tasks": "true"}, ["b", "c"]),
    ],
)
def test_the_selected_tasks_run_again(
    scripted: ScriptedWorkspace, request_: dict[str, Any], again: list[str]
) -> None:
    run = failed_chain(scripted)
    after = scripted.repair(run["run_id"], **request_)
    assert scripted.tasks.started()[2:] == again
    if again == ["b"]:
        assert results(after)["c"] == "UPSTREAM_FAILED"
        assert after["state"]["result_state"] == "FAILED"


def test_refusals(scripted: ScriptedWorkspace) -> None:
    run = failed_chain(scripted)
    for request, message in (
        ({}, "Give exactly one of rerun_tasks and rerun_all_failed_tasks."),
        (
            {"rerun_tasks": ["b"], "rerun_all_failed_tasks": True},
            "Give exactly one of rerun_tasks and rerun_all_failed_tasks.",
        ),
        ({"rerun_tasks": ["b", "b"]}, "rerun_tasks cannot contain duplicate task keys."),
        ({"rerun_tasks": ["z"]}, "rerun_tasks names tasks that the job does not have: z."),
        (
            {"rerun_tasks": ["b"], "latest_repair_id": 7},
            "latest_repair_id is 7, but the run has no repair yet; leave it out.",
        ),
        (
            {"rerun_tasks": ["b"], "job_parameters": {"p": "1"}, "notebook_params": {"p": "1"}},
            "job_parameters cannot be combined with notebook_params.",
        ),
    ):
        bad(
            lambda request=request: scripted.post(  # type: ignore[misc]
                "runs/repair", run_id=run["run_id"], **request
            ),
            message,
        )
    repaired = scripted.repair(run["run_id"], rerun_all_failed_tasks=True)
    bad(
        lambda: scripted.client.jobs.repair_run(run["run_id"], rerun_tasks=["a"]),
        "The latest repair ID needs to be provided in order to create a new repair",
    )
    bad(
        lambda: scripted.client.jobs.repair_run(
            run["run_id"], rerun_all_failed_tasks=True, latest_repair_id=repaired["repair_id"]
        ),
        "The run has no failed task to repair.",
    )


def test_several_repairs_count_and_need_the_latest_id(scripted: ScriptedWorkspace) -> None:
    counts = {"repair": "{{job.repair_count}}", "count": "{{task.execution_count}}"}
    scripted.tasks.endings["a"] = [False, False, False, False, True]
    run = scripted.run(scripted.create(notebook("a", parameters=counts, max_retries=1)))
    latest: dict[str, Any] = {}
    for _ in range(2):
        view = scripted.repair(run["run_id"], rerun_all_failed_tasks=True, **latest)
        latest = {"latest_repair_id": view["repair_id"]}
    assert view["state"]["result_state"] == "SUCCESS"
    assert [item["type"] for item in view["repair_history"]] == ["ORIGINAL", "REPAIR", "REPAIR"]
    seen = [a.settings["notebook_task"]["base_parameters"] for a in scripted.tasks.attempts]
    assert [(s["repair"], s["count"]) for s in seen] == [
        ("0", "1"),
        ("0", "2"),
        ("1", "3"),
        ("1", "4"),
        ("2", "5"),
    ]
    assert [task["attempt_number"] for task in entries(view, "a")] == [0, 1, 0, 1, 0]


def test_a_task_that_never_ran_was_executed_no_time(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings["a"] = [False, True]
    counts = {"own": "{{task.execution_count}}", "up": "{{tasks.a.execution_count}}"}
    run = scripted.run(scripted.create(notebook("a"), notebook("b", "a", parameters=counts)))
    scripted.repair(run["run_id"], rerun_all_failed_tasks=True)
    sent = scripted.tasks.attempts[-1].settings["notebook_task"]["base_parameters"]
    assert sent == {"own": "1", "up": "2"}


def test_job_parameters_are_those_of_the_repair(scripted: ScriptedWorkspace) -> None:
    """They are not carried over: what a repair does not send has its default again."""
    run = failed_chain(scripted, parameters=[{"name": "p", "default": "1"}])
    scripted.tasks.endings["b"] = [False]
    first = scripted.repair(run["run_id"], rerun_all_failed_tasks=True, job_parameters={"p": "2"})
    second = scripted.repair(
        run["run_id"], rerun_all_failed_tasks=True, latest_repair_id=first["repair_id"]
    )
    sent = [
        a.settings["notebook_task"]["base_parameters"]["p"]
        for a in scripted.tasks.attempts
        if a.task_run.task_key == "b"
    ]
    assert sent == ["1", "2", "1"]
    assert first["job_parameters"] == [{"name": "p", "default": "1", "value": "2"}]
    assert second["job_parameters"] == [{"name": "p", "default": "1"}]


def test_a_repair_takes_the_jobs_current_settings(scripted: ScriptedWorkspace) -> None:
    run = failed_chain(scripted)
    changed = notebook("b", "a", parameters={"fixed": "yes"})
    scripted.post(
        "update",
        job_id=run["job_id"],
        new_settings={"tasks": [changed, notebook("new")]},
        fields_to_remove=["tasks/c"],
    )
    after = scripted.repair(run["run_id"], rerun_all_failed_tasks=True)
    attempt = scripted.tasks.attempts[-1]
    assert attempt.settings["notebook_task"]["base_parameters"] == {"fixed": "yes"}
    assert after["state"]["result_state"] == "SUCCESS"
    assert scripted.tasks.started() == ["a", "b", "b"]


def test_a_repair_of_a_partial_run_stays_partial(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings["b"] = [False, False, True]
    run = scripted.run(scripted.create(*CHAIN), only=["b"])
    first = scripted.repair(run["run_id"], rerun_all_failed_tasks=True, rerun_dependent_tasks=True)
    second = scripted.repair(
        run["run_id"],
        rerun_all_failed_tasks=True,
        rerun_dependent_tasks=True,
        latest_repair_id=first["repair_id"],
    )
    assert second["state"]["result_state"] == "SUCCESS"
    assert scripted.tasks.started() == ["b", "b", "b"]


def test_only_the_failed_iterations_run_again(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings["i"] = [True, False, True, False, True]
    inner = notebook("i", parameters={"v": "{{input.k}}", "n": "{{task.execution_count}}"})
    inputs = '[{"k": "x"}, {"k": "y"}, {"k": "z"}]'
    run = scripted.run(scripted.create(for_each("loop", inputs, inner), notebook("after", "loop")))
    (loop,) = entries(run, "loop")
    stats = loop["for_each_task"]["stats"]
    assert stats["task_run_stats"]["failed_iterations"] == 1
    assert stats["error_message_stats"] == [
        {"count": 1, "error_message": "E: no", "termination_category": "RUN_EXECUTION_ERROR"}
    ]
    first = scripted.repair(run["run_id"], rerun_all_failed_tasks=True)
    assert results(first) == {"loop": "FAILED", "after": "UPSTREAM_FAILED"}
    second = scripted.repair(
        run["run_id"], rerun_all_failed_tasks=True, latest_repair_id=first["repair_id"]
    )
    assert second["state"]["result_state"] == "SUCCESS"
    values = [
        a.settings["notebook_task"]["base_parameters"]["v"]
        for a in scripted.tasks.attempts
        if a.task_run.task_key == "i"
    ]
    assert values == ["x", "y", "z", "y", "y"]
    counts = [
        a.settings["notebook_task"]["base_parameters"]["n"]
        for a in scripted.tasks.attempts
        if a.task_run.task_key == "i"
    ]
    assert counts == ["1", "1", "1", "2", "3"]
    newest = entries(second, "loop")[-1]
    view = scripted.get("runs/get", run_id=newest["run_id"], include_history=True)
    assert sorted(i["state"]["result_state"] for i in view["iterations"]) == ["SUCCESS"] * 3
    assert newest["for_each_task"]["stats"]["task_run_stats"]["succeeded_iterations"] == 3
    assert len(view["repair_history"]) == 3


def test_a_loop_that_is_named_runs_all_its_iterations_again(scripted: ScriptedWorkspace) -> None:
    run = scripted.run(scripted.create(for_each("loop", "[1, 2]", notebook("i"))))
    scripted.repair(run["run_id"], rerun_tasks=["loop"])
    assert scripted.tasks.started() == ["i"] * 4


def test_a_cancelled_run_is_repaired_from_where_it_was(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"b"}
    run_id = scripted.start(scripted.create(*CHAIN))
    scripted.until_started("b")
    scripted.client.jobs.cancel_run(run_id)
    scripted.ended(run_id)
    scripted.tasks.held = set()
    after = scripted.repair(run_id, rerun_all_failed_tasks=True)
    assert results(after) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}
    assert scripted.tasks.started() == ["a", "b", "b", "c"]


def test_a_run_that_was_cancelled_in_the_queue_is_repaired_as_a_whole(
    scripted: ScriptedWorkspace,
) -> None:
    scripted.tasks.held = {"a"}
    job_id = scripted.create(*CHAIN)
    first, queued = scripted.start(job_id), scripted.start(job_id)
    scripted.client.jobs.cancel_run(queued)
    assert scripted.ended(queued)["state"]["result_state"] == "CANCELED"
    scripted.tasks.held = set()
    scripted.ended(first)
    after = scripted.repair(queued, rerun_all_failed_tasks=True)
    assert results(after) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}


def test_a_run_that_a_restart_cut_off_is_repaired(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"b"}
    run_id = scripted.start(scripted.create(*CHAIN))
    scripted.until_started("b")
    scripted.restart()
    lost = scripted.ended(run_id)
    assert (lost["state"]["life_cycle_state"], lost["state"]["result_state"]) == (
        "INTERNAL_ERROR",
        "FAILED",
    )
    assert "Repair the run to go on." in lost["state"]["state_message"]
    scripted.tasks.held = set()
    after = scripted.repair(run_id, rerun_all_failed_tasks=True)
    assert results(after) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}
    assert scripted.tasks.started() == ["a", "b", "b", "c"]


def test_a_repaired_run_job_task_starts_another_run(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings["c"] = [False, True]
    child = scripted.create(notebook("c"))
    run = scripted.run(scripted.create(run_job("call", child)))
    after = scripted.repair(run["run_id"], rerun_all_failed_tasks=True)
    assert results(after) == {"call": "SUCCESS"}
    assert len(scripted.get("runs/list", job_id=child)["runs"]) == 2


def test_a_one_time_run_is_repaired_with_its_own_settings(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings["a"] = [False, True]
    run_id = scripted.post("runs/submit", tasks=[notebook("a")])["run_id"]
    scripted.ended(run_id)
    after = scripted.repair(run_id, rerun_all_failed_tasks=True)
    assert after["state"]["result_state"] == "SUCCESS"
