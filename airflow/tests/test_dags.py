"""The DAG files: they parse without a network or a Variable, and have the shape that the design asks for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization

import renewables_ingest
import renewables_transform
from databricks_repair import DatabricksRepairRunOperator, RetryUntilRunExists

FOLDER = Path(__file__).parent.parent
DAG_FILES = sorted((FOLDER / "dags").glob("renewables_*.py"))
INGEST: DAG = renewables_ingest.run.dag
TRANSFORM: DAG = renewables_transform.run.dag
BRONZE = Asset("databricks://workspace/main/renewables/bronze_share_electricity")
GOLD = Asset("databricks://workspace/main/renewables/gold_shw_share")

PARSE_OFFLINE = """
import socket, sys, time

def refuse(*_): raise AssertionError("a DAG file must not use the network")
socket.socket.connect = socket.getaddrinfo = refuse

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
start = time.process_time()
import renewables_ingest, renewables_transform
print(time.process_time() - start)
"""


def test_both_parse_at_once_without_network_database_or_variable(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/missing/airflow.db",
        "PYTHONPATH": f"{FOLDER / 'dags'}:{FOLDER / 'plugins'}",
    }
    parse = subprocess.run(
        [sys.executable, "-c", PARSE_OFFLINE], env=environment, capture_output=True, text=True
    )
    assert parse.returncode == 0, parse.stderr
    assert float(parse.stdout.splitlines()[-1]) < 0.3


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_imports_are_airflow_the_provider_and_the_plugin(file: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if _is_import(node)]
    roots = {node.module.partition(".")[0] for node in imports if isinstance(node, ast.ImportFrom)}
    assert not any(isinstance(node, ast.Import) for node in imports)
    assert roots <= {"__future__", "airflow", "bundle_job", "databricks_repair"}


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize("dag", [INGEST, TRANSFORM], ids=lambda dag: dag.dag_id)
def test_the_graph_is_run_repair_published(dag: DAG) -> None:
    graph = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert graph == {"run": ["published", "repair"], "repair": ["published"], "published": []}
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}
    assert rules == {"run": "all_success", "repair": "all_failed", "published": "one_success"}


@pytest.mark.parametrize("dag", [INGEST, TRANSFORM], ids=lambda dag: dag.dag_id)
def test_settings(dag: DAG) -> None:
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert all(task.retries == 3 for task in dag.tasks)
    run, repair = dag.get_task("run"), dag.get_task("repair")
    assert isinstance(run, DatabricksRunNowOperator)
    assert isinstance(repair, DatabricksRepairRunOperator)
    for task in (run, repair):
        assert task.deferrable
        assert task.databricks_conn_id == "databricks_default"
        assert task.execution_timeout == timedelta(hours=2)
    assert isinstance(run.retry_policy, RetryUntilRunExists)


@pytest.mark.parametrize("dag", [INGEST, TRANSFORM], ids=lambda dag: dag.dag_id)
def test_the_scheduler_can_serialise_it(dag: DAG) -> None:
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag.dag_id


def test_job_ids_come_from_the_variable() -> None:
    for dag, job in ((INGEST, "ingest"), (TRANSFORM, "transform")):
        templates = {dag.get_task(task_id).job_id for task_id in ("run", "repair")}
        assert templates == {f"{{{{ var.json.databricks_job_ids.{job} }}}}"}


def test_ingest_publishes_what_transform_waits_for() -> None:
    assert INGEST.get_task("published").outlets == [BRONZE]
    assert TRANSFORM.timetable.asset_condition.objects == (BRONZE,)
    assert TRANSFORM.get_task("published").outlets == [GOLD]


def test_params_are_the_jobs_own_defaults_until_set() -> None:
    assert dict(INGEST.params) == {"source_uri": None}
    assert dict(TRANSFORM.params) == {"countries": None}
