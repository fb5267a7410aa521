"""A real Airflow before a real local workspace, and small jobs that its DAGs start instead of the bundle's.

A job has two tasks, `first` and `second`, of one notebook, which waits until the job's gate is open and then writes a
row into the job's table. So the table tells how often which task has done its work.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import BaseRun
from databricks.sdk.service.workspace import ImportFormat, Language

from local_workspace.statement import rows_of
from support.launcher import ROOT, free_port
from support.waiting import wait_until
from support.workspace_process import WorkspaceProcess

sys.path.insert(0, str(ROOT / "scripts"))

from airflow_server import COMPONENTS, Airflow, quoted
from environments import SetupError, clean_environment

INGEST, TRANSFORM = "renewables_ingest", "renewables_transform"
IMPATIENT, WORKFLOW, STATEMENTS = "impatient", "workflow", "statements"
TRIGGERED = (INGEST, IMPATIENT, WORKFLOW, STATEMENTS)
"""The DAGs that scenarios start."""
NOTEBOOK = "/Workspace/Shared/write_a_row"
SCHEMA = "main.scenarios"
GATES = "/Volumes/main/scenarios/gates"
ENDED = ("success", "failed")
SETTINGS = {
    # A production Airflow notices these after minutes, this one within seconds; not so soon that a busy machine
    # looks like a dead process.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
    "AIRFLOW__RENEWABLES__RETRY_DELAY": "0",
    "AIRFLOW__RENEWABLES__REPAIR_DELAY": "0",
    # The connection is in Airflow's database, where a test can take it away.
    "AIRFLOW_CONN_DATABRICKS_DEFAULT": "",
    # What the project's DAG files share, for the DAG file of the scenarios.
    "PYTHONPATH": str(ROOT / "airflow" / "dags"),
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
        [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(path)},
            }
            for name, path in (
                ("project", ROOT / "airflow" / "dags"),
                ("scenarios", ROOT / "tests" / "airflow" / "dags"),
            )
        ]
    ),
}
SOURCE = """# Databricks notebook source
import time
from pathlib import Path

gate = dbutils.widgets.get("gate")
while gate and not Path(gate).exists():
    time.sleep(0.02)
row = dbutils.widgets.get("task")
spark.sql(f"INSERT INTO {dbutils.widgets.get('table')} VALUES ('{row}')")
"""
PARAMETERS = ("source_uri", "countries", "ingest_run_id", "logical_date", "airflow_run_id")


@dataclass(frozen=True)
class SmallJob:
    client: WorkspaceClient
    job_id: int
    table: str
    gate: str

    def open_gate(self) -> None:
        self.client.files.upload(self.gate, io.BytesIO(b"open"), overwrite=True)

    def rows(self) -> list[str | None]:
        """The tasks that have done their work, once per time."""
        return [row[0] for row in rows_of(self.client, f"SELECT * FROM {self.table} ORDER BY 1")[1]]

    def runs(self) -> list[BaseRun]:
        return list(self.client.jobs.list_runs(job_id=self.job_id))

    @property
    def run_id(self) -> int:
        """Of the only run; there must be one."""
        (run,) = self.runs()
        assert run.run_id is not None
        return run.run_id

    def until_started(self) -> int:
        wait_until(self.runs, f"a run of job {self.job_id}")
        return self.run_id

    def repairs(self) -> int:
        """How often the only run was repaired."""
        run = self.client.jobs.get_run(self.run_id, include_history=True)
        return len(run.repair_history or []) - 1

    def result(self) -> str | None:
        """The result of the only run; None before its end."""
        state = self.client.jobs.get_run(self.run_id).state
        return state.result_state.value if state and state.result_state else None


@dataclass(frozen=True)
class DagRun:
    airflow: Airflow
    dag_id: str
    run_id: str

    def states(self) -> dict[str, str]:
        return self.airflow.task_states(self.dag_id, self.run_id)

    def until(self, **states: str) -> None:
        """Wait for states of tasks."""
        wait_until(lambda: states.items() <= self.states().items(), f"{states} of {self.run_id}")

    def until_polled(self, task_id: str) -> None:
        """Wait until the triggerer, or the worker, has asked for the state of what it waits for."""
        wait_until(
            lambda: "leeping for" in self.log(task_id), f"a poll of {task_id} of {self.run_id}"
        )

    def end(self) -> dict[str, str]:
        """The states of all tasks when the DAG run has ended."""
        wait_until(self._has_ended, f"the end of {self.run_id}")
        return self.states()

    def _has_ended(self) -> bool:
        return self.airflow.dag_run(self.dag_id, self.run_id)["state"] in ENDED

    def log(self, task_id: str) -> str:
        """What all tries of a task have logged, and the triggerer for them."""
        folder = self.airflow.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        files = sorted((folder / f"task_id={task_id}").glob("attempt=*.log*"))
        return "".join(file.read_text() for file in files)

    def tries(self, task_id: str) -> int:
        instance = self.airflow.call("GET", f"{self._path}/taskInstances/{task_id}")
        return int(instance["try_number"])

    def xcom(self, task_id: str, key: str) -> Any:
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.airflow.call("GET", path)["value"]

    def link(self, task_id: str, name: str) -> Any:
        links = self.airflow.call("GET", f"{self._path}/taskInstances/{task_id}/links")
        return links["extra_links"][name]

    def clear(self, task_id: str) -> None:
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": [task_id],
            "include_downstream": True,
            "only_failed": False,
        }
        self.airflow.call("POST", f"dags/{self.dag_id}/clearTaskInstances", body)

    def fail(self, task_id: str) -> None:
        """What a person does in the UI to stop a task."""
        path = f"{self._path}/taskInstances/{task_id}"
        self.airflow.call("PATCH", path, {"new_state": "failed"})

    @property
    def _path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{quoted(self.run_id)}"


class Bench:
    """The two servers."""

    def __init__(self, state: Path, settings: dict[str, str] | None = None) -> None:
        self._numbers = count(1)
        self.workspace = WorkspaceProcess(state / "workspace")
        self.client = self.workspace.start(free_port())
        self.port = int(str(self.client.config.host).rsplit(":", 1)[1])
        self.airflow = Airflow(free_port(), state, {**SETTINGS, **(settings or {})})

    def start(self) -> None:
        self.airflow.start(self.port, self.token)
        self._prepare_workspace()
        self.airflow.wait_until_ready([*TRIGGERED, TRANSFORM, "crowd"])
        self.connect()
        self.airflow.set_variable("databricks_job_ids", {})
        for dag_id in TRIGGERED:
            is_due = self.airflow.is_due(dag_id)
            self.airflow.unpause(dag_id)
            if is_due:
                # It would take the job of the first test, which waits in the queue behind it.
                DagRun(self.airflow, dag_id, self.airflow.scheduled_run(dag_id)).end()

    def stop(self) -> None:
        self.airflow.stop()
        self.workspace.stop()

    # Workspace

    def _prepare_workspace(self) -> None:
        content = base64.b64encode(SOURCE.encode()).decode()
        self.client.workspace.mkdirs("/Workspace/Shared")
        self.client.workspace.import_(
            NOTEBOOK, content=content, format=ImportFormat.SOURCE, language=Language.PYTHON
        )
        rows_of(self.client, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        volume = {"catalog_name": "main", "schema_name": "scenarios", "name": "gates"}
        self.client.api_client.do(
            "POST", "/api/2.1/unity-catalog/volumes", body={**volume, "volume_type": "MANAGED"}
        )

    def job(self, *, is_open: bool = True, **settings: Any) -> SmallJob:
        """A new job, with its gate open unless `is_open` is False."""
        name = f"job_{next(self._numbers)}"
        table, gate = f"{SCHEMA}.{name}", f"{GATES}/{name}"
        rows_of(self.client, f"CREATE TABLE {table} (task STRING) USING delta")
        body = {
            "name": name,
            "parameters": [{"name": parameter, "default": ""} for parameter in PARAMETERS],
            "tasks": [
                _task("first", table, gate),
                {**_task("second", table, gate), "depends_on": [{"task_key": "first"}]},
            ],
            **settings,
        }
        created: Any = self.client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
        job = SmallJob(self.client, created["job_id"], table, gate)
        if is_open:
            job.open_gate()
        return job

    def deploy(self) -> dict[str, int]:
        """The bundle's job ids, by the jobs' keys."""
        command = [sys.executable, "-m", "local_workspace.cli", "deploy", "--target", "local"]
        env = {**clean_environment(), "LOCAL_WORKSPACE_STATE": str(self.workspace.state.root)}
        done = subprocess.run(
            [*command, "--json"], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        job_ids: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        return job_ids

    def fault(self, **fault: Any) -> None:
        self.client.api_client.do("POST", "/api/local/faults", body=fault)

    def faults(self) -> list[Any]:
        answer: Any = self.client.api_client.do("GET", "/api/local/faults")
        return list(answer["faults"])

    def clear_faults(self) -> None:
        self.client.api_client.do("DELETE", "/api/local/faults")

    @property
    def token(self) -> str:
        return str(self.client.config.token)

    def statement_state(self, statement_id: str) -> str:
        answer: Any = self.client.api_client.do("GET", f"/api/2.0/sql/statements/{statement_id}")
        return str(answer["status"]["state"])

    def restart_workspace(self) -> None:
        """On the same state and port, after it was killed."""
        self.workspace.kill()
        self.workspace.start(self.port)

    # Airflow

    def connect(self) -> None:
        self.airflow.call("POST", "connections", self._connection(self.token))

    def test_connection(self, token: str) -> Any:
        """What the button of the UI shows."""
        return self.airflow.call("POST", "connections/test", self._connection(token))

    def _connection(self, token: str) -> dict[str, Any]:
        return {
            "connection_id": "databricks_default",
            "conn_type": "databricks",
            "schema": "http",
            "host": "127.0.0.1",
            "port": self.port,
            "password": token,
        }

    def disconnect(self) -> None:
        self.airflow.call("DELETE", "connections/databricks_default")

    def assign(self, job_ids: dict[str, int]) -> None:
        """Say which jobs the DAGs start."""
        body = {"key": "databricks_job_ids", "value": json.dumps(job_ids)}
        self.airflow.call("PATCH", "variables/databricks_job_ids", body)

    def trigger(
        self, job: SmallJob | None, *, dag_id: str = INGEST, conf: dict[str, Any] | None = None
    ) -> DagRun:
        """A new run of a DAG that starts the job."""
        self.assign({"ingest": job.job_id} if job else {})
        return self.trigger_dag(dag_id, conf)

    def trigger_dag(self, dag_id: str, conf: dict[str, Any] | None = None) -> DagRun:
        return DagRun(self.airflow, dag_id, self.airflow.trigger(dag_id, conf))

    def asset_triggered_run(self, dag_id: str) -> DagRun:
        """The first run that an Asset has started."""
        (run, *_) = wait_until(lambda: self.airflow.dag_runs(dag_id), f"a run of {dag_id}")
        return DagRun(self.airflow, dag_id, run["dag_run_id"])

    def set_paused(self, dag_id: str, is_paused: bool) -> None:
        self.airflow.call("PATCH", f"dags/{dag_id}", {"is_paused": is_paused})

    def callback_log(self) -> str:
        """What the DAG processor has logged, the callbacks included."""
        folder = self.airflow.home / "logs" / "dag_processor"
        return "".join(file.read_text() for file in folder.rglob(f"{INGEST}.py.log"))

    def event_extra(self, dag_id: str) -> Any:
        """What the last Asset event of a DAG carries."""
        query = f"assets/events?source_dag_id={dag_id}&order_by=-timestamp"
        return self.airflow.call("GET", query)["asset_events"][0]["extra"]

    def end_dag_runs(self) -> None:
        """Fail what is still active."""
        for dag_id in TRIGGERED:
            for run in self.airflow.dag_runs(dag_id):
                if run["state"] not in ENDED:
                    path = f"dags/{dag_id}/dagRuns/{quoted(run['dag_run_id'])}"
                    self.airflow.call("PATCH", path, {"state": "failed"})

    def kill(self, component: str) -> None:
        """All its processes at once, as when its machine is gone."""
        for process in self.processes_of(component):
            process.kill()
        self.airflow.component(component).stop()

    def revive(self) -> None:
        """Start the components that a test has killed."""
        for name in COMPONENTS:
            try:
                self.airflow.component(name).check()
            except SetupError:
                self.airflow.start_component(name)

    def processes_of(self, component: str) -> list[psutil.Process]:
        return psutil.Process(self.airflow.component(component).pid).children(recursive=True)


def kill_tree(root: psutil.Process) -> None:
    for process in [root, *root.children(recursive=True)]:
        process.kill()


def _task(key: str, table: str, gate: str) -> dict[str, Any]:
    parameters = {"table": table, "task": key, "gate": gate}
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": NOTEBOOK, "base_parameters": parameters},
    }
