"""The provider's operators for jobs, each deferrable and not, against a real local workspace."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import (
    DatabricksCreateJobsOperator,
    DatabricksJobRunLink,
    DatabricksNotebookOperator,
    DatabricksRunNowOperator,
    DatabricksSubmitRunOperator,
    DatabricksTaskOperator,
)
from airflow.providers.databricks.operators.databricks_repos import DatabricksReposUpdateOperator
from airflow.sdk import BaseOperator

from dag_runner import WITHOUT_MODES, DagRunner, Result
from samples import NOTEBOOK, SCRIPT, WHEEL, WHEEL_TASK
from workspace import Workspace

NEW = {
    "new_cluster": {
        "spark_version": "17.3.x-scala2.13",
        "node_type_id": "any",
        "num_workers": 1,
    }
}
EXISTING = {"existing_cluster_id": "1121-120000-abcdefgh"}
SERVERLESS = [
    {"environment_key": "wheels", "spec": {"environment_version": "4", "dependencies": [WHEEL]}}
]


def run(airflow: DagRunner, operator: type[BaseOperator], **arguments: Any) -> Result:
    """Check that the operator has deferred where it can, and only there."""
    result = airflow.run_task(operator, **arguments)
    kinds = {type(trigger).__name__ for trigger in result.triggers}
    assert kinds == ({"DatabricksExecutionTrigger"} if airflow.is_deferrable else set())
    return result


def notebook(airflow: DagRunner, **parameters: str) -> dict[str, Any]:
    return {
        "notebook_path": NOTEBOOK,
        "base_parameters": {"gate": airflow.gate, **parameters},
        "source": "WORKSPACE",
    }


# DatabricksSubmitRunOperator


def test_submit_a_notebook(workspace: Workspace, airflow: DagRunner) -> None:
    task = notebook(airflow, number="21")
    result = run(airflow, DatabricksSubmitRunOperator, notebook_task=task, **EXISTING)
    assert result.errors == {}
    job_run = workspace.run(result.xcom("run_id"))
    assert workspace.output(job_run["run_id"]) == "42"
    assert (job_run["run_type"], job_run["run_name"]) == ("SUBMIT_RUN", "task")
    assert result.link(DatabricksJobRunLink) == job_run["run_page_url"]


def test_submit_a_wheel_with_libraries(workspace: Workspace, airflow: DagRunner) -> None:
    parameters = {"number": "4", "gate": airflow.gate}
    task = {**WHEEL_TASK, "named_parameters": parameters}
    result = run(
        airflow,
        DatabricksSubmitRunOperator,
        json={"python_wheel_task": task},
        libraries=[{"whl": WHEEL}],
        **NEW,
    )
    assert result.errors == {}
    assert workspace.output(result.xcom("run_id")) == "8"


def test_submit_a_python_file(workspace: Workspace, airflow: DagRunner) -> None:
    task = {"python_file": SCRIPT, "parameters": ["5", airflow.gate]}
    result = run(airflow, DatabricksSubmitRunOperator, spark_python_task=task, **NEW)
    assert result.errors == {}
    assert workspace.output(result.xcom("run_id")) == "10"


def test_submit_several_tasks_on_serverless_compute(
    workspace: Workspace, airflow: DagRunner
) -> None:
    second = {
        "task_key": "second",
        "depends_on": [{"task_key": "first"}],
        "environment_key": "wheels",
        "python_wheel_task": {**WHEEL_TASK, "named_parameters": {"number": "2"}},
    }
    result = run(
        airflow,
        DatabricksSubmitRunOperator,
        run_name="several",
        environments=SERVERLESS,
        tasks=[{"task_key": "first", "notebook_task": notebook(airflow, number="1")}, second],
    )
    assert result.errors == {}
    run_id = result.xcom("run_id")
    assert workspace.run(run_id)["run_name"] == "several"
    assert [workspace.output(run_id, key) for key in ("first", "second")] == ["2", "4"]


def test_submit_with_the_same_token_twice(airflow: DagRunner) -> None:
    arguments = {
        "notebook_task": notebook(airflow, number="1"),
        "idempotency_token": f"once-{airflow.is_deferrable}",
        **EXISTING,
    }
    first = run(airflow, DatabricksSubmitRunOperator, **arguments)
    again = airflow.run_task(DatabricksSubmitRunOperator, **arguments)
    assert (first.errors, again.errors) == ({}, {})
    assert first.xcom("run_id") == again.xcom("run_id")


def test_submit_what_fails(airflow: DagRunner) -> None:
    task = notebook(airflow, number="none")
    result = run(airflow, DatabricksSubmitRunOperator, notebook_task=task, **EXISTING)
    assert "invalid literal for int() with base 10: 'none'" in result.errors["task"]


def test_submit_what_times_out(airflow: DagRunner) -> None:
    task = {"notebook_path": NOTEBOOK, "base_parameters": {"number": "1", "gate": "/nowhere"}}
    result = airflow.run_task(
        DatabricksSubmitRunOperator, notebook_task=task, timeout_seconds=1, **EXISTING
    )
    assert "'result_state': 'TIMEDOUT'" in result.errors["task"]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"pipeline_name": "any"}, "ENDPOINT_NOT_FOUND"),
        ({"pipeline_id": "any"}, "The local workspace does not have pipeline_task"),
    ],
    ids=["name", "id"],
)
def test_submit_a_pipeline_is_refused(
    airflow: DagRunner, task: dict[str, str], reason: str
) -> None:
    result = airflow.run_task(DatabricksSubmitRunOperator, pipeline_task=task)
    assert reason in result.errors["task"]


@WITHOUT_MODES
def test_a_git_folder_is_refused(airflow: DagRunner) -> None:
    with airflow.new_dag() as dag:
        DatabricksReposUpdateOperator(task_id="task", repo_id=1, branch="main")
    assert "ENDPOINT_NOT_FOUND" in airflow.run(dag).errors["task"]


# DatabricksCreateJobsOperator, which has nothing to defer for


@WITHOUT_MODES
def test_create_a_job_then_reset_it(workspace: Workspace, airflow: DagRunner) -> None:
    def create(number: str) -> Result:
        with airflow.new_dag() as dag:
            DatabricksCreateJobsOperator(
                task_id="task",
                name="created",
                tasks=[{"task_key": "double", "notebook_task": {"notebook_path": NOTEBOOK}}],
                json={"parameters": [{"name": "number", "default": number}]},
                access_control_list=[{"group_name": "users", "permission_level": "CAN_VIEW"}],
            )
        return airflow.run(dag)

    created, reset = create("1"), create("2")
    assert (created.errors, reset.errors) == ({}, {})
    job_id = created.xcom("return_value")
    assert reset.xcom("return_value") == job_id
    settings = workspace.call("GET", "2.2/jobs/get", {"job_id": job_id})["settings"]
    assert settings["parameters"] == [{"name": "number", "default": "2"}]
    assert len(workspace.call("GET", "2.2/jobs/list", {"name": "created"})["jobs"]) == 1


# DatabricksRunNowOperator


def job(workspace: Workspace, task: dict[str, Any], **settings: Any) -> int:
    tasks = [{"task_key": "double", **task}]
    return int(workspace.call("POST", "2.2/jobs/create", {"tasks": tasks, **settings})["job_id"])


def test_run_now_by_name_with_notebook_params(workspace: Workspace, airflow: DagRunner) -> None:
    name = f"double {airflow.is_deferrable}"
    job(workspace, {"notebook_task": notebook(airflow, number="1")}, name=name)
    parameters = {"number": "3", "gate": airflow.gate}
    result = run(airflow, DatabricksRunNowOperator, job_name=name, notebook_params=parameters)
    assert result.errors == {}
    run_id = result.xcom("run_id")
    assert workspace.output(run_id) == "6"
    assert result.link(DatabricksJobRunLink) == workspace.run(run_id)["run_page_url"]


def test_run_now_with_python_params(workspace: Workspace, airflow: DagRunner) -> None:
    job_id = job(workspace, {"spark_python_task": {"python_file": SCRIPT, "parameters": ["1"]}})
    parameters = ["4", airflow.gate]
    result = run(airflow, DatabricksRunNowOperator, job_id=job_id, python_params=parameters)
    assert result.errors == {}
    assert workspace.output(result.xcom("run_id")) == "8"


def test_run_now_with_python_named_params(workspace: Workspace, airflow: DagRunner) -> None:
    job_id = job(workspace, {"python_wheel_task": WHEEL_TASK, "libraries": [{"whl": WHEEL}]})
    parameters = {"number": "5", "gate": airflow.gate}
    result = run(airflow, DatabricksRunNowOperator, job_id=job_id, python_named_params=parameters)
    assert result.errors == {}
    assert workspace.output(result.xcom("run_id")) == "10"


@pytest.mark.parametrize("name", ["jar_params", "spark_submit_params", "dbt_commands"])
def test_run_now_shows_params_of_other_kinds(
    workspace: Workspace, airflow: DagRunner, name: str
) -> None:
    job_id = job(workspace, {"notebook_task": notebook(airflow, number="1")})
    result = run(airflow, DatabricksRunNowOperator, job_id=job_id, **{name: ["a", "b"]})
    assert result.errors == {}
    overriding = workspace.run(result.xcom("run_id"))["overriding_parameters"]
    assert overriding == {name: ["a", "b"]}


def test_run_now_repairs_by_itself(
    workspace: Workspace, airflow: DagRunner, tmp_path: Path
) -> None:
    """Not deferred, the provider fails its task all the same, with the error from before the repair."""
    (tmp_path / "flaw").touch()
    task = notebook(airflow, number="7", flaw=str(tmp_path / "flaw"))
    job_id = job(workspace, {"notebook_task": task})
    result = run(airflow, DatabricksRunNowOperator, job_id=job_id, repair_run=True)
    assert ("There was a flaw." in result.errors.get("task", "")) is not airflow.is_deferrable
    job_run = workspace.run(result.xcom("run_id"))
    assert [entry["type"] for entry in job_run["repair_history"]] == ["ORIGINAL", "REPAIR"]
    assert job_run["state"]["result_state"] == "SUCCESS"
    assert workspace.output(job_run["run_id"]) == "14"


def test_run_now_cancels_earlier_runs(workspace: Workspace, airflow: DagRunner) -> None:
    job_id = job(workspace, {"notebook_task": notebook(airflow, number="1")})
    endless = {"job_id": job_id, "notebook_params": {"gate": "/nowhere"}}
    earlier = workspace.call("POST", "2.2/jobs/run-now", endless)
    result = run(airflow, DatabricksRunNowOperator, job_id=job_id, cancel_previous_runs=True)
    assert result.errors == {}
    assert workspace.run(earlier["run_id"])["state"]["result_state"] == "CANCELED"


# DatabricksNotebookOperator, DatabricksTaskOperator


def run_notebook(airflow: DagRunner, gate: str, **arguments: Any) -> Result:
    return run(
        airflow,
        DatabricksNotebookOperator,
        notebook_path=NOTEBOOK,
        source="WORKSPACE",
        notebook_params={"number": "8", "gate": gate},
        **arguments,
    )


def test_notebook(workspace: Workspace, airflow: DagRunner) -> None:
    result = run_notebook(airflow, airflow.gate, notebook_packages=[{"whl": WHEEL}], **NEW)
    assert result.errors == {}
    run_id = result.xcom("run_id")
    assert workspace.output(run_id) == "16"
    assert result.link(DatabricksJobRunLink) == workspace.run(run_id)["run_page_url"]


def test_a_notebook_that_databricks_retries(workspace: Workspace, airflow: DagRunner) -> None:
    key = f"retried_{airflow.is_deferrable}"
    workspace.call("POST", "local/faults", {"task": key})
    result = run_notebook(airflow, airflow.gate, databricks_task_key=key, max_retries=1, **EXISTING)
    assert result.errors == {}
    assert workspace.output(result.xcom("run_id")) == "16"


@pytest.mark.parametrize("airflow", [True], indirect=True, ids=["deferred"])
def test_a_notebook_whose_task_is_killed(workspace: Workspace, airflow: DagRunner) -> None:
    airflow.on_deferred.append(lambda trigger: asyncio.run(trigger.on_kill()))
    result = run_notebook(airflow, "/nowhere", **EXISTING)
    assert "Final state CANCELED" in result.errors["task"]
    (task,) = workspace.run(result.xcom("run_id"))["tasks"]
    assert task["state"]["result_state"] == "CANCELED"


def test_task(workspace: Workspace, airflow: DagRunner) -> None:
    config = {"notebook_task": notebook(airflow, number="9")}
    result = run(airflow, DatabricksTaskOperator, task_config=config, **EXISTING)
    assert result.errors == {}
    assert workspace.output(result.xcom("run_id")) == "18"


def test_a_task_that_fails(airflow: DagRunner) -> None:
    config = {"notebook_task": notebook(airflow, number="none")}
    result = run(airflow, DatabricksTaskOperator, task_config=config, **EXISTING)
    assert "invalid literal for int() with base 10: 'none'" in result.errors["task"]


# The connection test


@WITHOUT_MODES
@pytest.mark.usefixtures("airflow")
def test_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DatabricksHook().test_connection() == (True, "Connection successfully tested")
    variable = "AIRFLOW_CONN_DATABRICKS_DEFAULT"
    bad = os.environ[variable].replace('"password": "', '"password": "not-')
    monkeypatch.setenv(variable, bad)
    is_well, message = DatabricksHook().test_connection()
    assert not is_well
    assert "401" in message
