"""The repair operator against a Jobs API over HTTP."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferralTimeout, TaskDeferred
from airflow.sdk.module_loading import import_string
from structlog.testing import capture_logs
from tenacity import stop_after_attempt, wait_none

from databricks_repair import DatabricksRepairRunOperator, FailureKind
from fake_databricks import FakeDatabricks, FakeRun, RefusedError
from task_process import TaskInstance


def make(run: FakeRun | None, **arguments: Any) -> DatabricksRepairRunOperator:
    defaults = {
        "task_id": "repair",
        "run_id": str(run.run_id) if run else "None",
        "job_id": "7",
        "run_parameters": {"airflow_run_id": "manual__1"},
        "polling_period_seconds": 0,
        "deferrable": True,
    }
    return DatabricksRepairRunOperator(**{**defaults, **arguments})


def repair(run: FakeRun | None, ti: TaskInstance | None = None, **arguments: Any) -> TaskInstance:
    ti = ti or TaskInstance()
    ti.run(lambda: make(run, **arguments))
    return ti


def test_a_failed_run_is_repaired_with_its_own_parameters(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("FAILED", "SUCCESS", parameters={"source_uri": "file:///landing"})
    ti = repair(run)
    assert databricks.bodies("jobs/runs/repair") == [
        {
            "run_id": run.run_id,
            "rerun_all_failed_tasks": True,
            "rerun_dependent_tasks": True,
            "job_parameters": {"source_uri": "file:///landing"},
        }
    ]
    assert ti.xcoms == {
        "run_id": 1001,
        "run_page_url": "http://workspace/run/1001",
        "repair_id": 100,
        "repair_page_url": "http://workspace/task/load",
    }


def test_single_tasks_and_new_parameters(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("FAILED", "SUCCESS", parameters={"a": "1", "b": "2"})
    repair(run, rerun_tasks=["load"], job_parameters={"b": "3"})
    (request,) = databricks.bodies("jobs/runs/repair")
    assert request["rerun_tasks"] == ["load"]
    assert "rerun_all_failed_tasks" not in request
    assert request["job_parameters"] == {"a": "1", "b": "3"}


def test_the_second_repair_names_the_first(databricks: FakeDatabricks) -> None:
    repair(databricks.add_run("FAILED", "FAILED", "SUCCESS"))
    requests = databricks.bodies("jobs/runs/repair")
    assert [request.get("latest_repair_id") for request in requests] == [None, 100]


def test_the_wait_before_a_repair_doubles(databricks: FakeDatabricks) -> None:
    ended = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    databricks.now = int(ended.timestamp() * 1000)
    run, due = databricks.add_run(*["FAILED"] * 3, "SUCCESS"), []

    def let_time_pass(moment: datetime) -> None:
        due.append(moment)
        run.end_time = 1_000

    repair(run, TaskInstance(on_wait=let_time_pass), max_repairs=3)
    assert due == [ended + timedelta(seconds=30), ended + timedelta(seconds=60)]


def test_gives_up_after_max_repairs(databricks: FakeDatabricks) -> None:
    run = databricks.add_run(*["FAILED"] * 4)
    with pytest.raises(AirflowFailException, match=r"Gave up after 2 repairs: run 1001 .FAILED"):
        repair(run)
    assert run.repairs == 2


def test_a_retry_does_not_repair_more(databricks: FakeDatabricks) -> None:
    run, ti = databricks.add_run(*["FAILED"] * 4), TaskInstance()
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="Gave up"):
            repair(run, ti)
    assert run.repairs == 2


def test_a_clear_repairs_again(databricks: FakeDatabricks) -> None:
    run, ti = databricks.add_run(*["FAILED"] * 3, "SUCCESS"), TaskInstance()
    with pytest.raises(AirflowFailException, match="Clear this task to repair it again"):
        repair(run, ti)
    ti.max_tries += 4
    repair(run, ti)
    assert run.repairs == 3


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_active_run_is_waited_for(databricks: FakeDatabricks, deferrable: bool) -> None:
    run = databricks.add_run("SUCCESS", polls_until_end=5)
    repair(run, deferrable=deferrable)
    assert databricks.bodies("jobs/runs/repair") == []


def test_a_run_that_has_succeeded_meanwhile(databricks: FakeDatabricks) -> None:
    ti = repair(databricks.add_run("SUCCESS"))
    assert ti.xcoms == {"run_id": 1001, "run_page_url": "http://workspace/run/1001"}


@pytest.mark.parametrize(
    ("result", "code", "kind"),
    [
        ("CANCELED", "USER_CANCELED", "cancelled"),
        ("FAILED", "INVALID_RUN_CONFIGURATION", "definition"),
        ("FAILED", "MAX_CONCURRENT_RUNS_EXCEEDED", "not_started"),
    ],
)
def test_what_no_repair_helps_fails_at_once(
    databricks: FakeDatabricks, result: str, code: str, kind: str
) -> None:
    run = databricks.add_run(result, "SUCCESS", code=code)
    with pytest.raises(
        AirflowFailException, match=f"Not repaired, because of {kind}: run 1001 .{result}: ended as"
    ):
        repair(run)
    assert run.repairs == 0


def test_a_clear_repairs_also_what_was_cancelled(databricks: FakeDatabricks) -> None:
    run, ti = databricks.add_run("CANCELED", "SUCCESS"), TaskInstance()
    with pytest.raises(AirflowFailException, match="Clear this task to repair it all the same"):
        repair(run, ti)
    ti.max_tries += 4
    repair(run, ti)
    assert run.repairs == 1


def test_repair_on_restricts_to_kinds(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("FAILED", "SUCCESS")
    with pytest.raises(AirflowFailException, match="because of user_code"):
        repair(run, repair_on=[FailureKind.CLUSTER])


def test_an_unknown_run_is_found_by_its_parameters(databricks: FakeDatabricks) -> None:
    wanted = databricks.add_run("FAILED", "SUCCESS", parameters={"airflow_run_id": "manual__1"})
    for n in range(2, 6):
        databricks.add_run("FAILED", parameters={"airflow_run_id": f"manual__{n}"})
    repair(None)
    assert [run.repairs for run in databricks.runs.values()] == [1, 0, 0, 0, 0]
    assert len(databricks.bodies("jobs/runs/list")) == 3
    assert wanted.repairs == 1


def test_a_run_that_was_never_created(databricks: FakeDatabricks) -> None:
    databricks.add_run("SUCCESS", parameters={"airflow_run_id": "manual__2"})
    with pytest.raises(AirflowFailException, match="No run was ever created: none of the last 100"):
        repair(None)


def test_a_deleted_run(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("FAILED")
    del databricks.runs[run.run_id]
    with pytest.raises(AirflowFailException, match=r"run 1001 cannot be read.*does not exist"):
        repair(run)


def test_a_lost_answer_starts_no_second_repair(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("FAILED", "SUCCESS")
    databricks.answers_lost.append(("jobs/runs/repair", 500))
    retry = {"stop": stop_after_attempt(3), "wait": wait_none()}
    repair(run, deferrable=False, databricks_retry_args=retry)
    assert len(databricks.bodies("jobs/runs/repair")) == 2
    assert run.repairs == 1


def test_a_repair_of_somebody_else_is_waited_for(
    databricks: FakeDatabricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = databricks.add_run("FAILED", "SUCCESS")

    def be_slower(_query: dict[str, Any]) -> dict[str, Any]:
        run.repairs, run.polls_until_end = 1, 3
        raise RefusedError(400, "INVALID_STATE", "Run 1001 is active.")

    monkeypatch.setattr(databricks, "_jobs_runs_repair", be_slower, raising=False)
    ti = repair(run)
    assert len(databricks.bodies("jobs/runs/repair")) == 1
    assert ti.xcoms["repair_id"] == 100


def test_a_refused_repair_fails(
    databricks: FakeDatabricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_query: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", "No task with the key lode.")

    monkeypatch.setattr(databricks, "_jobs_runs_repair", refuse, raising=False)
    with pytest.raises(AirflowFailException, match=r"refuses to repair run 1001 .*the key lode"):
        repair(databricks.add_run("FAILED"))


def test_a_worker_that_dies_after_its_request(databricks: FakeDatabricks) -> None:
    run, ti = databricks.add_run("FAILED", "SUCCESS"), TaskInstance()
    with pytest.raises(TaskDeferred):
        make(run).execute(ti.context)
    repair(run, ti)
    assert run.repairs == 1


def test_the_log_names_the_failed_tasks(databricks: FakeDatabricks) -> None:
    with capture_logs() as logs:
        repair(databricks.add_run("FAILED", "SUCCESS"))
    text = " ".join(entry["event"] % entry.get("positional_args", ()) for entry in logs)
    assert re.search("Task load failed .user_code.: ValueError: boom http://workspace/task", text)


def test_a_kill_cancels_the_run(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("RUNNING")
    operator = make(run)
    with pytest.raises(TaskDeferred):
        operator.execute(TaskInstance().context)
    operator.on_kill()
    assert run.result == "CANCELED"


def test_a_kill_leaves_the_run_alone_with_cancel_on_kill_off(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("RUNNING")
    operator = make(run, cancel_on_kill=False)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(TaskInstance().context)
    operator.on_kill()
    path, arguments = deferred.value.trigger.serialize()
    asyncio.run(import_string(path)(**arguments).on_kill())
    assert run.result == "RUNNING"


def test_the_trigger_cancels_the_run_otherwise(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("RUNNING")
    with pytest.raises(TaskDeferred) as deferred:
        make(run).execute(TaskInstance().context)
    path, arguments = deferred.value.trigger.serialize()
    asyncio.run(import_string(path)(**arguments).on_kill())
    assert run.result == "CANCELED"


def test_repair_on_names_kinds_that_there_are(databricks: FakeDatabricks) -> None:
    with pytest.raises(ValueError, match=r"repair_on has \['quotas'\], which are none of"):
        make(databricks.add_run("FAILED"), repair_on=["cluster", "quotas"])


def test_the_ui_shows_repair_on() -> None:
    assert "repair_on" in DatabricksRepairRunOperator.template_fields


def test_a_timeout_cancels_the_run(databricks: FakeDatabricks) -> None:
    run = databricks.add_run("RUNNING")
    with pytest.raises(TaskDeferred) as deferred:
        make(run, execution_timeout=timedelta(hours=1)).execute(TaskInstance().context)
    assert timedelta(minutes=59) < deferred.value.timeout <= timedelta(hours=1)
    with pytest.raises(TaskDeferralTimeout):
        make(run).resume_execution("__fail__", {"error": "Trigger timeout"}, {})
    assert run.result == "CANCELED"
