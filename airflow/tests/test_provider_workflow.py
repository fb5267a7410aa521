"""The provider's workflow task group, deferrable and not, against a real local workspace."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import (
    DatabricksNotebookOperator,
    DatabricksTaskOperator,
)
from airflow.providers.databricks.operators.databricks_workflow import DatabricksWorkflowTaskGroup
from airflow.sdk import DAG
from support.waiting import wait_until

from dag_runner import WITHOUT_MODES, DagRunner
from databricks_repair import DatabricksRepairRunOperator
from samples import NOTEBOOK, SCRIPT
from workspace import Workspace

CLUSTER = {"spark_version": "17.3.x-scala2.13", "node_type_id": "any", "num_workers": 1}


def workflow(airflow: DagRunner, flaw: str = "") -> DAG:
    """`first`, a notebook, then `second`, a Python file; `flaw` is the notebook's.

    The notebook waits until the group has seen the run: one that has failed by then is "could not start" to it.
    """
    group = {
        "group_id": "group",
        "databricks_conn_id": "databricks_default",
        "job_clusters": [{"job_cluster_key": "shared", "new_cluster": CLUSTER}],
        "notebook_params": {"number": "6"},
    }
    with airflow.new_dag() as dag, DatabricksWorkflowTaskGroup(**group):
        first = DatabricksNotebookOperator(
            task_id="first",
            notebook_path=NOTEBOOK,
            source="WORKSPACE",
            notebook_params={"gate": str(airflow.gate_file), "flaw": flaw},
            job_cluster_key="shared",
            databricks_task_key="first",
            **airflow.arguments,
        )
        second = DatabricksTaskOperator(
            task_id="second",
            task_config={"spark_python_task": {"python_file": SCRIPT, "parameters": ["7"]}},
            job_cluster_key="shared",
            databricks_task_key="second",
            **airflow.arguments,
        )
        first >> second
    if not airflow.is_deferrable:
        launch = dag.get_task("group.launch")
        launch.on_success_callback = [lambda _: airflow.gate_file.touch()]
    return dag


def test_a_workflow_is_one_run(workspace: Workspace, airflow: DagRunner) -> None:
    result = airflow.run(workflow(airflow))
    assert result.errors == {}
    launched = result.xcom("return_value", "group.launch")
    run = workspace.run(launched["run_id"])
    depends_on = {task["task_key"]: task.get("depends_on") for task in run["tasks"]}
    assert depends_on == {"first": [], "second": [{"task_key": "first"}]}
    assert [workspace.output(run["run_id"], key) for key in depends_on] == ["12", "14"]
    assert len(result.triggers) >= airflow.is_deferrable
    link = result.xcom("databricks_job_run_link", "group.first")
    assert link.endswith(f"/#job/{launched['job_id']}/run/{run['run_id']}")


@WITHOUT_MODES
def test_a_workflow_is_the_same_job_next_time(airflow: DagRunner) -> None:
    dag = workflow(airflow)
    jobs = [airflow.run(dag).xcom("return_value", "group.launch")["job_id"] for _ in range(2)]
    assert jobs[0] == jobs[1]


def test_a_workflow_with_a_repair_step(
    workspace: Workspace, airflow: DagRunner, tmp_path: Path
) -> None:
    (tmp_path / "flaw").touch()
    dag = workflow(airflow, str(tmp_path / "flaw"))
    with dag:
        repair = DatabricksRepairRunOperator(
            task_id="repair",
            run_id="{{ ti.xcom_pull(task_ids='group.launch')['run_id'] }}",
            trigger_rule="one_failed",
            repair_delay=timedelta(0),
            **airflow.arguments,
        )
        dag.task_group.children["group"] >> repair
    result = airflow.run(dag)
    assert result.states == {
        "group.launch": "success",
        "group.first": "failed",
        "group.second": "upstream_failed",
        "repair": "success",
    }
    run: Any = workspace.run(result.xcom("run_id", "repair"))
    assert len(run["repair_history"]) == 2
    assert [workspace.output(run["run_id"], key) for key in ("first", "second")] == ["12", "14"]


def test_what_the_repair_links_of_airflow_2_ask_for(
    workspace: Workspace, airflow: DagRunner, tmp_path: Path
) -> None:
    """The provider shows these links in Airflow 2 only; this is the traffic of their handler."""
    (tmp_path / "flaw").touch()
    result = airflow.run(workflow(airflow, str(tmp_path / "flaw")))
    run_id = result.xcom("return_value", "group.launch")["run_id"]
    states = [_repair(workspace, run_id, [task])["result_state"] for task in ("first", "second")]
    assert states == ["FAILED", "SUCCESS"]
    assert [workspace.output(run_id, key) for key in ("first", "second")] == ["12", "14"]
    assert len(workspace.run(run_id)["repair_history"]) == 3


def _repair(workspace: Workspace, run_id: int, tasks: list[str]) -> Any:
    hook = DatabricksHook()
    body = {
        "run_id": run_id,
        "latest_repair_id": hook.get_latest_repair_id(run_id),
        "rerun_tasks": tasks,
        "overriding_parameters": hook.get_run(run_id).get("overriding_parameters"),
    }
    hook.repair_run(body)
    wait_until(lambda: "result_state" in workspace.run(run_id)["state"], f"the end of run {run_id}")
    return workspace.run(run_id)["state"]
