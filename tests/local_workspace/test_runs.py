"""Runs through the API: run-now, submit, get, list, cancel, delete, get-output, export."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue, InvalidState, ResourceDoesNotExist
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.jobs import RunResultState
from expect import refused
from scripted import (
    ScriptedWorkspace,
    condition,
    entries,
    for_each,
    life_cycle,
    notebook,
    results,
    run_job,
)
from support.waiting import wait_until

from local_workspace.execution.attempt import SUCCEEDED, Ending
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import Termination

INVALID = (InvalidParameterValue, "INVALID_PARAMETER_VALUE")


def bad(call: Any, message: str) -> None:
    refused(*INVALID, message, call)


# run-now


def test_job_parameters_reach_a_task_and_are_shown(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(
        notebook("a", parameters={"day": "task", "own": "{{job.parameters.day}}!"}),
        parameters=[{"name": "day", "default": "1"}, {"name": "kept", "default": "2"}],
    )
    run = scripted.run(job_id, job_parameters={"day": "9", "extra": 3})
    assert run["job_parameters"] == [
        {"name": "day", "default": "1", "value": "9"},
        {"name": "extra", "value": "3"},
        {"name": "kept", "default": "2"},
    ]
    sent = scripted.tasks.attempts[0].settings["notebook_task"]["base_parameters"]
    assert sent == {"day": "9", "own": "9!", "kept": "2", "extra": "3"}
    (task,) = scripted.get("runs/get", run_id=run["run_id"], include_resolved_values=True)["tasks"]
    assert task["resolved_values"] == {"notebook_task": {"base_parameters": sent}}
    assert "resolved_values" not in run["tasks"][0]


def test_legacy_parameters_reach_the_tasks_of_their_kind(scripted: ScriptedWorkspace) -> None:
    wheel = {"package_name": "p", "entry_point": "e"}
    job_id = scripted.create(
        notebook("n", parameters={"a": "task", "b": "task"}),
        {"task_key": "named", "python_wheel_task": {**wheel, "named_parameters": {"x": "1"}}},
        {"task_key": "listed", "python_wheel_task": {**wheel, "parameters": ["1"]}},
        {"task_key": "script", "spark_python_task": {"python_file": "/f.py", "parameters": ["1"]}},
        {
            "task_key": "sql",
            "sql_task": {"warehouse_id": "w", "file": {"path": "/f.sql"}, "parameters": {"s": "1"}},
        },
    )
    legacy = {
        "notebook_params": {"a": "run"},
        "python_named_params": {"x": "2"},
        "sql_params": {"s": "2"},
    }
    run = scripted.run(job_id, **legacy)
    sent = {a.task_run.task_key: a.settings for a in scripted.tasks.attempts}
    assert sent["n"]["notebook_task"]["base_parameters"] == {"a": "run", "b": "task"}
    assert sent["named"]["python_wheel_task"]["named_parameters"] == {"x": "2"}
    assert sent["listed"]["python_wheel_task"]["parameters"] == ["1"]
    assert sent["sql"]["sql_task"]["parameters"] == {"s": "2"}
    assert run["overriding_parameters"] == legacy

    scripted.tasks.attempts.clear()
    scripted.run(job_id, python_params=["2"])
    sent = {a.task_run.task_key: a.settings for a in scripted.tasks.attempts}
    assert sent["named"]["python_wheel_task"]["parameters"] == ["2"]
    assert sent["listed"]["python_wheel_task"]["parameters"] == ["2"]
    assert sent["script"]["spark_python_task"]["parameters"] == ["2"]


def test_empty_parameters_count_as_absent(scripted: ScriptedWorkspace) -> None:
    """Airflow's workflow launcher always sends these four."""
    job_id = scripted.create(notebook("a"), parameters=[{"name": "p", "default": "1"}])
    empty = {
        "jar_params": [],
        "notebook_params": {},
        "python_params": [],
        "spark_submit_params": [],
    }
    run = scripted.run(job_id, **empty)
    assert results(run) == {"a": "SUCCESS"}
    assert "overriding_parameters" not in run


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"job_parameters": {"a": "1"}, "notebook_params": {"a": "1"}},
            "job_parameters cannot be combined with notebook_params.",
        ),
        (
            {"jar_params": ["a"], "notebook_params": {"a": "1"}},
            "notebook_params cannot be combined with jar_params.",
        ),
        (
            {"notebook_params": {"a": "x" * 10_000}},
            "notebook_params has 10009 bytes as JSON; at most 10000 are allowed.",
        ),
        ({"python_params": ["ü"]}, "python_params can hold ASCII characters only."),
        (
            {"job_parameters": {"a b": "1"}},
            "The job parameter name 'a b' is invalid: use letters, digits, '_', '-' and '.'.",
        ),
        (
            {"only": ["nope+"]},
            "only names the task 'nope', which the job does not have; "
            "write k, +k, k+ or +k+ for a task k.",
        ),
        (
            {"idempotency_token": "x" * 65},
            "idempotency_token has 65 characters; at most 64 are allowed.",
        ),
        ({"queue": {}, "job_id": "seven"}, "job_id must be an integer, got 'seven'."),
        ({"job_id": 2**63}, f"job_id is out of range: {2**63}."),
    ],
)
def test_a_bad_request_is_refused(
    scripted: ScriptedWorkspace, request_: dict[str, Any], message: str
) -> None:
    job_id = scripted.create(notebook("a"))
    bad(lambda: scripted.post("run-now", **{"job_id": job_id, **request_}), message)
    assert scripted.get("runs/list") == {}


def test_json_of_the_wrong_kind_is_a_malformed_request(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"))
    with pytest.raises(DatabricksError) as refusal:
        scripted.post("run-now", job_id=job_id, notebook_params="table=x")
    assert (refusal.value.error_code, str(refusal.value)) == (
        "MALFORMED_REQUEST",
        "Could not parse request object: Expected object for field 'notebook_params', found STRING",
    )


def test_a_job_with_job_parameters_takes_no_legacy_ones(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"), parameters=[{"name": "p", "default": "1"}])
    bad(
        lambda: scripted.post("run-now", job_id=job_id, notebook_params={"p": "2"}),
        "The job has job parameters, so notebook_params cannot be used; send job_parameters.",
    )


@pytest.mark.parametrize(
    ("only", "expected"),
    [(["b"], {"b"}), (["+b"], {"a", "b"}), (["b+"], {"b", "c"}), (["+b+"], {"a", "b", "c"})],
)
def test_only_runs_a_part_of_the_job(
    scripted: ScriptedWorkspace, only: list[str], expected: set[str]
) -> None:
    job_id = scripted.create(notebook("a"), notebook("b", "a"), notebook("c", "b"), notebook("d"))
    run = scripted.run(job_id, only=only)
    assert results(run) == dict.fromkeys(expected, "SUCCESS")


def test_a_token_names_one_run_for_good(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"))
    scripted.tasks.endings["a"] = [False]
    run_id = scripted.run(job_id, idempotency_token="once")["run_id"]
    assert scripted.start(job_id, idempotency_token="once") == run_id
    scripted.restart()
    assert scripted.start(job_id, idempotency_token="once") == run_id
    assert scripted.start(job_id, idempotency_token="") != run_id
    scripted.client.jobs.delete_run(run_id)
    bad(
        lambda: scripted.start(job_id, idempotency_token="once"),
        f"The run {run_id} of idempotency_token 'once' was deleted; use a new token.",
    )


def test_a_token_outlives_its_job(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"))
    run_id = scripted.run(job_id, idempotency_token="once")["run_id"]
    scripted.client.jobs.delete(job_id)
    assert scripted.start(job_id, idempotency_token="once") == run_id
    bad(
        lambda: scripted.start(job_id, idempotency_token="twice"),
        f"Job {job_id} does not exist.",
    )


# Concurrency


def test_over_the_limit_a_run_waits_or_is_skipped(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    job_id = scripted.create(notebook("a"))
    first, second = scripted.start(job_id), scripted.start(job_id)
    skipped = scripted.get(
        "runs/get", run_id=scripted.start(job_id, queue={"enabled": False}), include_history=True
    )
    queued = scripted.get("runs/get", run_id=second, include_history=True)

    reason = "Queued due to reaching maximum concurrent runs of the job."
    assert queued["state"] == {
        "life_cycle_state": "QUEUED",
        "state_message": "",
        "queue_reason": reason,
        "user_cancelled_or_timedout": False,
    }
    assert queued["status"] == {
        "state": "QUEUED",
        "queue_details": {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": reason},
    }
    assert queued["repair_history"][0]["state"] == queued["state"]
    message = "Skipping this run because the limit of 1 maximum concurrent runs has been reached."
    assert skipped["state"] == {
        "life_cycle_state": "SKIPPED",
        "result_state": "MAXIMUM_CONCURRENT_RUNS_REACHED",
        "state_message": message,
        "user_cancelled_or_timedout": False,
    }
    assert skipped["status"]["termination_details"] == {
        "code": "MAX_CONCURRENT_RUNS_EXCEEDED",
        "type": "CLIENT_ERROR",
        "message": message,
    }
    assert [item["type"] for item in skipped["repair_history"]] == ["ORIGINAL"]
    with pytest.raises(InvalidState, match="The run was skipped"):
        scripted.post("runs/repair", run_id=skipped["run_id"], rerun_tasks=["a"])

    scripted.tasks.held = set()
    assert scripted.ended(first)["state"]["result_state"] == "SUCCESS"
    assert scripted.ended(second)["state"]["result_state"] == "SUCCESS"


def test_a_run_waits_for_48_hours_at_most(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    job_id = scripted.create(notebook("a"))
    scripted.start(job_id)
    old, new = scripted.start(job_id), scripted.start(job_id)
    created = scripted.workspace.runs.get(old).created_time - 48 * 3_600_000
    scripted.workspace.db.update("runs", "run_id", old, {"created_time": created})
    scripted.tasks.held = set()
    scripted.restart()
    assert scripted.ended(old)["state"] == {
        "life_cycle_state": "SKIPPED",
        "result_state": "MAXIMUM_CONCURRENT_RUNS_REACHED",
        "state_message": "Skipping this run because it was queued for 48 hours.",
        "user_cancelled_or_timedout": False,
    }
    assert scripted.ended(new)["state"]["result_state"] == "SUCCESS"


def test_a_limit_of_zero_skips_every_run(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"), max_concurrent_runs=0)
    assert life_cycle(scripted.run(job_id)) == "SKIPPED"


# get


def test_state_and_status_of_every_ending(scripted: ScriptedWorkspace) -> None:
    internal = Termination(Outcome.INTERNAL_ERROR, "LIBRARY_INSTALLATION_ERROR", "pip failed")
    scripted.tasks.endings = {
        "fails": [False],
        "broken": [Ending(internal, {"error": "pip failed"})],
    }
    job_id = scripted.create(
        notebook("fine"),
        notebook("fails"),
        notebook("broken"),
        notebook("late", timeout_seconds=1),
        notebook("behind", "fails"),
        notebook("never", "fine", run_if="AT_LEAST_ONE_FAILED"),
        notebook("off", disabled=True),
        notebook("behind_off", "off"),
        notebook("stopped"),
        notebook("behind_stopped", "stopped"),
    )
    scripted.tasks.held = {"late", "stopped"}
    run_id = scripted.start(job_id)
    scripted.until_started("late", "stopped")
    running = scripted.get("runs/get", run_id=run_id)
    (stopped,) = entries(running, "stopped")
    assert running["state"] == {
        "life_cycle_state": "RUNNING",
        "state_message": "",
        "user_cancelled_or_timedout": False,
    }
    assert (running["status"], running["end_time"]) == ({"state": "RUNNING"}, 0)
    assert entries(running, "behind_stopped")[0]["status"] == {"state": "BLOCKED"}
    assert entries(running, "behind_stopped")[0]["start_time"] == 0
    scripted.client.jobs.cancel_run(stopped["run_id"])

    run = scripted.ended(run_id)
    seen = {
        task["task_key"]: (
            task["state"]["life_cycle_state"],
            task["state"]["result_state"],
            task["state"]["user_cancelled_or_timedout"],
            task["status"]["termination_details"]["code"],
            task["status"]["termination_details"]["type"],
        )
        for task in run["tasks"]
    }
    assert seen == {
        "fine": ("TERMINATED", "SUCCESS", False, "SUCCESS", "SUCCESS"),
        "fails": ("TERMINATED", "FAILED", False, "RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
        "broken": (
            "INTERNAL_ERROR",
            "FAILED",
            False,
            "LIBRARY_INSTALLATION_ERROR",
            "CLIENT_ERROR",
        ),
        "late": ("TERMINATED", "TIMEDOUT", True, "CANCELED", "INTERNAL_ERROR"),
        "behind": ("SKIPPED", "UPSTREAM_FAILED", False, "SKIPPED", "SUCCESS"),
        "never": ("SKIPPED", "EXCLUDED", False, "SKIPPED", "SUCCESS"),
        "off": ("SKIPPED", "DISABLED", False, "DISABLED", "SUCCESS"),
        "behind_off": ("SKIPPED", "DISABLED", False, "DISABLED", "SUCCESS"),
        "stopped": ("TERMINATED", "CANCELED", True, "USER_CANCELED", "CLIENT_ERROR"),
        "behind_stopped": ("SKIPPED", "UPSTREAM_CANCELED", False, "SKIPPED", "SUCCESS"),
    }
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == (
        "INTERNAL_ERROR",
        "FAILED",
    )
    assert run["state"]["state_message"] == (
        "Task fails failed with message: Workload failed, see run output for details. "
        "Task broken failed with message: pip failed. "
        "Task late failed with message: Timed out after the configured timeout_seconds. "
        "This caused all downstream tasks to get skipped."
    )
    assert run["status"]["termination_details"]["code"] == "RUN_EXECUTION_ERROR"


def test_a_success_and_a_success_with_failures(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings = {"a": [True, False]}
    job_id = scripted.create(notebook("a"), notebook("clean_up", "a", run_if="ALL_DONE"))
    fine, mixed = scripted.run(job_id), scripted.run(job_id)
    assert fine["state"] == {
        "life_cycle_state": "TERMINATED",
        "result_state": "SUCCESS",
        "state_message": "",
        "user_cancelled_or_timedout": False,
    }
    assert fine["status"]["termination_details"]["code"] == "SUCCESS"
    assert mixed["state"]["life_cycle_state"] == "TERMINATED"
    assert mixed["state"]["result_state"] == "SUCCESS_WITH_FAILURES"
    assert mixed["status"]["termination_details"]["code"] == "SUCCESS_WITH_FAILURES"


def test_a_task_run_is_read_by_its_own_id(scripted: ScriptedWorkspace) -> None:
    run = scripted.run(scripted.create(notebook("a"), notebook("b")))
    (task,) = entries(run, "a")
    view = scripted.get("runs/get", run_id=task["run_id"])
    assert view["tasks"] == [task]
    assert {name: view[name] for name in ("run_id", "job_run_id", "task_key", "state")} == {
        "run_id": task["run_id"],
        "job_run_id": run["run_id"],
        "task_key": "a",
        "state": task["state"],
    }
    assert view["run_page_url"] == task["run_page_url"]


def test_runs_are_read_in_pages_of_a_hundred_tasks(scripted: ScriptedWorkspace) -> None:
    inner = condition("i", "{{input}}", "1")
    job_id = scripted.create(
        for_each("loop", str(list(range(110))), inner, concurrency=100),
        *(notebook(f"t{n}", disabled=True) for n in range(110)),
    )
    run = scripted.client.jobs.get_run(scripted.run(job_id)["run_id"])
    assert len(run.tasks or ()) == 111
    loop = next(task for task in run.tasks or () if task.task_key == "loop")
    assert loop.run_id is not None
    iterations = scripted.client.jobs.get_run(loop.run_id).iterations or []
    assert len({iteration.run_id for iteration in iterations}) == 110
    assert loop.for_each_task is not None
    assert loop.for_each_task.stats is not None
    assert loop.for_each_task.stats.as_dict()["task_run_stats"] == {
        "active_iterations": 0,
        "completed_iterations": 110,
        "failed_iterations": 0,
        "scheduled_iterations": 110,
        "succeeded_iterations": 110,
        "total_iterations": 110,
    }


# list


def test_list_filters(scripted: ScriptedWorkspace) -> None:
    first = scripted.create(notebook("a"))
    second = scripted.create(notebook("b"))
    done = scripted.run(first)
    submitted = scripted.post(
        "runs/submit", tasks=[notebook("a")], run_name="once", idempotency_token="t"
    )["run_id"]
    scripted.ended(submitted)
    scripted.tasks.held = {"b"}
    active = scripted.start(second)

    def listed(**query: Any) -> list[int]:
        return [run["run_id"] for run in scripted.get("runs/list", **query).get("runs", ())]

    done_id = done["run_id"]
    assert listed() == [active, submitted, done_id]
    assert listed(job_id=first) == [done_id]
    assert listed(active_only="true") == [active]
    assert listed(completed_only=True) == [submitted, done_id]
    assert listed(run_type="SUBMIT_RUN") == [submitted]
    assert listed(run_type="JOB_RUN") == [active, done_id]
    assert listed(start_time_to=done["start_time"])[-1] == done_id
    assert done_id in listed(start_time_from=done["start_time"])
    assert listed(start_time_from=done["start_time"] + 10**9) == []
    page = scripted.get("runs/list", limit=2)
    assert [run["run_id"] for run in page["runs"]] == [active, submitted]
    assert "tasks" not in page["runs"][0]
    assert listed(limit=2, page_token=page["next_page_token"]) == [done_id]
    (expanded,) = scripted.get("runs/list", job_id=first, expand_tasks=True)["runs"]
    assert [task["task_key"] for task in expanded["tasks"]] == ["a"]
    assert listed(limit=0) == listed()
    bad(
        lambda: listed(active_only=True, completed_only=True),
        "active_only and completed_only cannot both be true.",
    )
    bad(lambda: listed(limit=26), "limit must be between 1 and 25, or 0 for the maximum; got 26.")
    bad(
        lambda: listed(run_type="CRON"),
        "run_type has the unknown value 'CRON'; use one of JOB_RUN, SUBMIT_RUN, WORKFLOW_RUN.",
    )


def test_runs_that_start_meanwhile_shift_no_page(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"), max_concurrent_runs=10)
    ids = [scripted.run(job_id)["run_id"] for _ in range(5)]

    def listed(**query: Any) -> tuple[list[int], dict[str, Any]]:
        page = scripted.get("runs/list", limit=2, **query)
        return [run["run_id"] for run in page["runs"]], page

    _, first = listed()
    newest = scripted.run(job_id)["run_id"]
    run_ids, second = listed(page_token=first["next_page_token"])
    assert run_ids == [ids[2], ids[1]]
    run_ids, last = listed(page_token=second["next_page_token"])
    assert run_ids == [ids[0]]
    assert "next_page_token" not in last
    run_ids, before = listed(page_token=second["prev_page_token"])
    assert run_ids == [ids[4], ids[3]]
    run_ids, top = listed(page_token=before["prev_page_token"])
    assert run_ids == [newest]
    assert "prev_page_token" not in top
    bad(
        lambda: listed(page_token="jobs.older.1"),
        "page_token 'jobs.older.1' is no token of this list; leave it out for the first page.",
    )


# submit


def test_a_one_time_run_belongs_to_no_job(scripted: ScriptedWorkspace) -> None:
    body = {"tasks": [notebook("a"), notebook("b", "a")], "idempotency_token": "same"}
    run_id = scripted.post("runs/submit", **body)["run_id"]
    assert scripted.post("runs/submit", **body)["run_id"] == run_id
    run = scripted.ended(run_id)
    assert (run["run_type"], run["run_name"]) == ("SUBMIT_RUN", "Untitled")
    assert run["job_id"] > 0
    assert scripted.get("list") == {}
    assert results(run) == {"a": "SUCCESS", "b": "SUCCESS"}


def test_the_older_form_of_submit_has_one_task_named_as_the_run(
    scripted: ScriptedWorkspace,
) -> None:
    run_id = scripted.post(
        "runs/submit",
        run_name="dag__task 1",
        notebook_task={"notebook_path": "/n"},
        existing_cluster_id="c",
        timeout_seconds="0",
    )["run_id"]
    run = scripted.ended(run_id)
    assert results(run) == {"dag__task_1": "SUCCESS"}
    assert run["tasks"][0]["existing_cluster_id"] == "c"
    bad(
        lambda: scripted.post("runs/submit", run_name="empty"),
        "Task 'empty' must have exactly one task type, found: none.",
    )


# cancel and delete


def test_cancel_keeps_the_outcome_of_what_has_ended(scripted: ScriptedWorkspace) -> None:
    run = scripted.run(scripted.create(notebook("a")))
    assert scripted.post("runs/cancel", run_id=run["run_id"]) == {}
    assert scripted.get("runs/get", run_id=run["run_id"])["state"] == run["state"]


def test_cancelling_a_run(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    loop = for_each("loop", "[1, 2, 3]", notebook("a"))
    run_id = scripted.start(scripted.create(loop, notebook("b", "loop", run_if="ALL_DONE")))
    scripted.until_started("a")
    scripted.client.jobs.cancel_run(run_id)
    run = scripted.ended(run_id)
    assert run["state"] == {
        "life_cycle_state": "TERMINATED",
        "result_state": "CANCELED",
        "state_message": "Run cancelled.",
        "user_cancelled_or_timedout": True,
    }
    assert run["status"]["termination_details"]["code"] == "USER_CANCELED"
    assert results(run) == {"loop": "CANCELED", "b": "CANCELED"}


def test_a_cancelled_task_spreads_downstream_except_to_a_clean_up(
    scripted: ScriptedWorkspace,
) -> None:
    scripted.tasks.held = {"a"}
    run_id = scripted.start(
        scripted.create(
            notebook("a"), notebook("b", "a"), notebook("clean_up", "b", run_if="ALL_DONE")
        )
    )
    scripted.until_started("a")
    (task,) = entries(scripted.get("runs/get", run_id=run_id), "a")
    scripted.client.jobs.cancel_run(task["run_id"])
    run = scripted.ended(run_id)
    assert results(run) == {"a": "CANCELED", "b": "UPSTREAM_CANCELED", "clean_up": "SUCCESS"}


def test_one_iteration_is_cancelled_alone(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    run_id = scripted.start(scripted.create(for_each("loop", "[1, 2]", notebook("a"))))
    scripted.until_started("a")
    (loop,) = scripted.get("runs/get", run_id=run_id)["tasks"]
    iteration = scripted.get("runs/get", run_id=loop["run_id"])["iterations"][0]
    scripted.client.jobs.cancel_run(iteration["run_id"])
    scripted.tasks.held = set()
    run = scripted.ended(run_id)
    outcomes = [
        i["state"]["result_state"]
        for i in scripted.get("runs/get", run_id=loop["run_id"])["iterations"]
    ]
    assert (results(run), outcomes) == ({"loop": "CANCELED"}, ["CANCELED", "SUCCESS"])


def test_cancel_all(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a", "b"}
    job_id, other = scripted.create(notebook("a")), scripted.create(notebook("b"))
    active, queued = scripted.start(job_id), scripted.start(job_id)
    untouched, other_queued = scripted.start(other), scripted.start(other)

    scripted.post("runs/cancel-all", all_queued_runs=True)
    for run_id in (queued, other_queued):
        assert scripted.ended(run_id)["state"]["result_state"] == "CANCELED"
    queued = scripted.start(job_id)
    scripted.client.jobs.cancel_all_runs(job_id=job_id)
    for run_id in (active, queued):
        assert scripted.ended(run_id)["state"]["result_state"] == "CANCELED"
    assert life_cycle(scripted.get("runs/get", run_id=untouched)) in ("PENDING", "RUNNING")
    assert scripted.tasks.started().count("a") == 1

    bad(lambda: scripted.post("runs/cancel-all"), "Give job_id, or all_queued_runs=true.")
    with pytest.raises(ResourceDoesNotExist, match=r"Job 5 does not exist\."):
        scripted.client.jobs.cancel_all_runs(job_id=5)


def test_a_run_is_deleted_once_it_has_ended(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    run_id = scripted.start(scripted.create(notebook("a")))
    scripted.until_started("a")
    log = scripted.workspace.state.task_logs / (
        f"{scripted.get('runs/get', run_id=run_id)['tasks'][0]['run_id']}.log"
    )
    log.write_text("printed")
    refused(
        InvalidState,
        "INVALID_STATE",
        f"Run {run_id} is still active; cancel it before deleting it.",
        lambda: scripted.client.jobs.delete_run(run_id),
    )
    assert log.exists()
    scripted.tasks.held = set()
    scripted.ended(run_id)
    assert scripted.post("runs/delete", run_id=run_id) == {}
    for path in ("runs/get", "runs/get-output"):
        refused(
            ResourceDoesNotExist,
            "RESOURCE_DOES_NOT_EXIST",
            f"Run {run_id} does not exist.",
            lambda path=path: scripted.get(path, run_id=run_id),  # type: ignore[misc]
        )
    assert not log.exists()


# Output


def test_the_output_of_several_tasks_is_asked_for_one_by_one(scripted: ScriptedWorkspace) -> None:
    several = scripted.run(scripted.create(notebook("a"), notebook("b")))
    bad(
        lambda: scripted.client.jobs.get_run_output(several["run_id"]),
        "Retrieving the output of runs with multiple tasks is not supported. "
        "Please retrieve the output of each individual task run instead.",
    )
    scripted.tasks.endings["only"] = [Ending(SUCCEEDED, {"result": "x" * (5 * 2**20 + 1)})]
    one = scripted.run(scripted.create(notebook("only")))
    output = scripted.client.jobs.get_run_output(one["run_id"]).notebook_output
    assert output is not None
    assert (len(output.result or ""), output.truncated) == (5 * 2**20, True)


def test_the_output_of_a_failed_task(scripted: ScriptedWorkspace) -> None:
    trace = "Traceback ...\nValueError: boom"
    failure = Ending(
        Termination(Outcome.FAILED, "RUN_EXECUTION_ERROR", "Workload failed"),
        {"error": "ValueError: boom", "error_trace": trace},
    )
    scripted.tasks.endings["a"] = [failure]
    run = scripted.run(scripted.create(notebook("a")))
    output = scripted.get("runs/get-output", run_id=run["tasks"][0]["run_id"])
    assert (output["error"], output["error_trace"]) == ("ValueError: boom", trace)
    assert output["metadata"]["state"]["result_state"] == "FAILED"


def test_only_notebooks_are_exported(scripted: ScriptedWorkspace) -> None:
    check = scripted.run(scripted.create(condition("c", "1", "1")))["tasks"][0]["run_id"]
    bad(
        lambda: scripted.client.jobs.export_run(check),
        "Only notebook task runs can be exported.",
    )
    bad(
        lambda: scripted.get("runs/export", run_id=check, views_to_export="SOME"),
        "views_to_export has the unknown value 'SOME'; use one of ALL, CODE, DASHBOARDS.",
    )


# Run job


def test_a_run_job_task_follows_its_child(scripted: ScriptedWorkspace) -> None:
    child = scripted.create(notebook("c"), parameters=[{"name": "p", "default": "1"}])
    parent = scripted.create(run_job("call", child, job_parameters={"p": "2"}))
    run = scripted.run(parent)
    task = run["tasks"][0]
    child_id = scripted.get("runs/get-output", run_id=task["run_id"])["run_job_output"]["run_id"]
    child_run = scripted.get("runs/get", run_id=child_id)
    assert (child_run["trigger"], child_run["trigger_info"]) == (
        "RUN_JOB_TASK",
        {"run_id": task["run_id"]},
    )
    assert child_run["job_parameters"] == [{"name": "p", "default": "1", "value": "2"}]
    assert task["state"]["result_state"] == "SUCCESS"

    scripted.tasks.endings["c"] = [False]
    failed = scripted.run(parent)
    assert results(failed) == {"call": "FAILED"}


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_the_end_of_the_parent_ends_the_child(scripted: ScriptedWorkspace, how: str) -> None:
    scripted.tasks.held = {"c"}
    child = scripted.create(notebook("c"))
    parent = scripted.create(run_job("call", child, timeout_seconds=1 if how == "timeout" else 0))
    run_id = scripted.start(parent)
    scripted.until_started("c")
    if how == "cancel":
        scripted.client.jobs.cancel_run(run_id)
    ended = scripted.ended(run_id)
    expected = {"cancel": "CANCELED", "timeout": "TIMEDOUT"}[how]
    assert results(ended) == {"call": expected}
    (child_run,) = scripted.get("runs/list", job_id=child)["runs"]
    assert child_run["state"]["result_state"] == "CANCELED"


def test_run_job_tasks_nest_three_deep_and_in_no_circle(scripted: ScriptedWorkspace) -> None:
    jobs = [scripted.create(notebook("leaf"))]
    for _ in range(4):
        jobs.append(scripted.create(run_job("call", jobs[-1])))
    assert results(scripted.run(jobs[3])) == {"call": "SUCCESS"}
    assert results(scripted.run(jobs[4])) == {"call": "FAILED"}
    deepest = scripted.get("runs/list", job_id=jobs[1])["runs"][0]
    task = scripted.get("runs/get", run_id=deepest["run_id"])["tasks"][0]
    output = scripted.get("runs/get-output", run_id=task["run_id"])
    assert output["error"] == (
        f"Run Job tasks can be nested 3 deep; job {jobs[0]} would be level 4."
    )

    circle = scripted.create(run_job("call", jobs[0]))
    scripted.post(
        "reset", job_id=circle, new_settings={"tasks": [run_job("call", circle, max_retries=3)]}
    )
    failed = scripted.run(circle)
    assert failed["tasks"][0]["state"]["state_message"] == (
        f"Run Job tasks cannot form a cycle of jobs: {circle} -> {circle}."
    )
    assert len(failed["tasks"]) == 1


def test_a_run_job_task_without_its_job_fails_and_says_so(scripted: ScriptedWorkspace) -> None:
    failed = scripted.run(scripted.create(run_job("call", 5)))
    assert failed["tasks"][0]["state"]["state_message"] == "Job 5 does not exist."
    assert (
        failed["tasks"][0]["status"]["termination_details"]["code"] == "INVALID_RUN_CONFIGURATION"
    )


def test_a_reference_to_nothing_fails_the_task_and_is_quoted(scripted: ScriptedWorkspace) -> None:
    task = notebook("a", parameters={"x": "{{job.naem}}"}, max_retries=-1)
    run = scripted.run(scripted.create(task, notebook("b", parameters={"x": "{{other.name}}"})))
    (failed,) = entries(run, "a")
    message = (
        "The reference {{job.naem}} names nothing that is known here. See "
        "https://docs.databricks.com/aws/en/jobs/dynamic-value-references for those that exist."
    )
    assert failed["state"]["state_message"] == message
    assert failed["status"]["termination_details"]["code"] == "INVALID_RUN_CONFIGURATION"
    assert scripted.get("runs/get-output", run_id=failed["run_id"])["error"] == message
    (attempt,) = scripted.tasks.attempts
    assert attempt.settings["notebook_task"]["base_parameters"] == {"x": "{{other.name}}"}


@pytest.mark.parametrize(
    ("inputs", "result", "message"),
    [
        ("[]", "SUCCESS", ""),
        ("{}", "FAILED", "The inputs are not a JSON array: {}"),
        ("{{job.name}}", "FAILED", "The inputs are not a JSON array: job"),
    ],
)
def test_the_inputs_of_a_loop(
    scripted: ScriptedWorkspace, inputs: str, result: str, message: str
) -> None:
    run = scripted.run(scripted.create(for_each("loop", inputs, notebook("i"))))
    state = run["tasks"][0]["state"]
    assert (state["result_state"], state["state_message"]) == (result, message)


# Time


def test_a_job_timeout_ends_the_run_and_its_tasks(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    job_id = scripted.create(notebook("a", max_retries=5), notebook("b", "a"), timeout_seconds=1)
    run = scripted.run(job_id)
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == (
        "TERMINATED",
        "TIMEDOUT",
    )
    assert run["status"]["termination_details"]["code"] == "CANCELED"
    assert results(run) == {"a": "TIMEDOUT", "b": "TIMEDOUT"}
    assert len(run["tasks"]) == 2

    again = scripted.repair(run["run_id"], rerun_all_failed_tasks=True)
    assert again["state"]["result_state"] == "TIMEDOUT"


@pytest.mark.parametrize(("retry", "attempts"), [(False, [0]), (True, [0, 1])])
def test_a_timeout_is_retried_where_the_task_says_so(
    scripted: ScriptedWorkspace, retry: bool, attempts: list[int]
) -> None:
    scripted.tasks.held = {"a"}
    task = notebook("a", timeout_seconds=1, max_retries=1, retry_on_timeout=retry)
    run_id = scripted.start(scripted.create(task))
    wait_until(
        lambda: len(entries(scripted.get("runs/get", run_id=run_id), "a")) == len(attempts),
        f"{len(attempts)} attempts",
    )
    wait_until(lambda: len(scripted.tasks.attempts) == len(attempts), "the start of each")
    if retry:
        scripted.tasks.held = set()
    run = scripted.ended(run_id)
    assert [task["attempt_number"] for task in run["tasks"]] == attempts
    assert run["state"]["result_state"] == ("SUCCESS" if retry else "FAILED")


def test_what_stops_with_its_loop_is_not_tried_again(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"i"}
    inner = notebook("i", max_retries=3, retry_on_timeout=True)
    loop = {**for_each("loop", "[1, 2]", inner), "timeout_seconds": 1}
    run = scripted.run(scripted.create(loop))
    assert results(run) == {"loop": "TIMEDOUT"}
    iterations = scripted.get("runs/get", run_id=run["tasks"][0]["run_id"])["iterations"]
    assert [i["state"]["result_state"] for i in iterations] == ["TIMEDOUT", "TIMEDOUT"]


def test_between_attempts_a_task_waits(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.endings["a"] = [False]
    task = notebook("a", max_retries=-1, min_retry_interval_millis=60_000)
    run_id = scripted.start(scripted.create(task))
    wait_until(
        lambda: len(entries(scripted.get("runs/get", run_id=run_id), "a")) == 2, "a second attempt"
    )
    first, second = entries(scripted.get("runs/get", run_id=run_id), "a")
    assert second["state"]["life_cycle_state"] == "WAITING_FOR_RETRY"
    assert second["status"] == {"state": "WAITING"}
    assert second["start_time"] > first["start_time"] > 0
    scripted.client.jobs.cancel_run(run_id)
    run = scripted.ended(run_id)
    assert [t["state"]["result_state"] for t in run["tasks"]] == ["FAILED", "CANCELED"]


def test_the_sdk_waits_for_a_run(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"))
    run = scripted.client.jobs.run_now(job_id).result()
    assert run.state is not None
    assert run.state.result_state is RunResultState.SUCCESS
