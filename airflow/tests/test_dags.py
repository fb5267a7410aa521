"""The DAG files: they parse without a network or a Variable, and have the shape that the design asks for."""

from __future__ import annotations

import ast
import json
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

# What a DAG file needs of Airflow itself, and the provider's operator: what comes on top is the DAGs' own cost.
PARSE_OFFLINE = """
import json, socket, sys

def refuse(*_): raise AssertionError("a DAG file must not use the network")
socket.socket.connect = socket.getaddrinfo = refuse

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG, Asset, Param, task
before = set(sys.modules)
import renewables_ingest, renewables_transform
print(json.dumps(sorted(set(sys.modules) - before)))
"""
ON_TOP = {
    "airflow",
    "croniter",
    "bundle_job",
    "databricks_repair",
    "renewables_ingest",
    "renewables_transform",
}


def test_parsing_loads_little_more_than_the_provider(tmp_path: Path) -> None:
    """Without a network, a database or a Variable. Modules are counted, because a time is not the same twice."""
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
    loaded = json.loads(parse.stdout.splitlines()[-1])
    assert {name.partition(".")[0] for name in loaded} <= ON_TOP
    assert len(loaded) < 60, loaded


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_imports_are_airflow_the_provider_and_the_plugin(file: Path) -> None:
    allowed = {"__future__", "airflow.sdk", "bundle_job", "databricks_repair"}
    assert _imported(file) - allowed == {"airflow.providers.databricks.operators.databricks"}


def test_what_the_dags_share_imports_no_more_than_that_and_the_standard_library() -> None:
    allowed = {"airflow", "databricks_repair", "jinja2", *sys.stdlib_module_names}
    roots = {name.partition(".")[0] for name in _imported(FOLDER / "dags" / "bundle_job.py")}
    assert roots <= allowed


def _imported(file: Path) -> set[str]:
    """The modules that a file names, at its top and in its functions."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_nothing_happens_at_the_top_but_the_dag(file: Path) -> None:
    """No call outside of the `with DAG(...)` block: no top-level I/O."""
    top = ast.parse(file.read_text()).body
    assert {type(node) for node in top} == {ast.Expr, ast.ImportFrom, ast.With}
    assert sum(isinstance(node, ast.Expr) for node in top) == 1


@pytest.mark.parametrize("dag", [INGEST, TRANSFORM], ids=lambda dag: dag.dag_id)
def test_who_owns_it_and_who_hears_of_a_failure(dag: DAG) -> None:
    assert dag.tags == {"renewables", "databricks"}
    assert list(dag.owner_links) == ["renewables"] == list({task.owner for task in dag.tasks})
    assert dag.on_failure_callback is not None


def test_every_process_draws_its_own_wait_and_the_dag_stays_the_same() -> None:
    """A value that differs from parse to parse must not make a new DAG version each time."""
    for task_id in ("run", "repair"):
        assert 1 <= INGEST.get_task(task_id).databricks_retry_delay <= 4
    assert "databricks_retry_delay" not in json.dumps(DagSerialization.to_dict(INGEST), default=str)


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
    assert dict(INGEST.params) == {"source_uri": None, "rerun_tasks": []}
    assert dict(TRANSFORM.params) == {"countries": None, "rerun_tasks": []}
