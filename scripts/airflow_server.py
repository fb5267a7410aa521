"""A real Airflow beside the local workspace: its four components and its REST API. Standard library only.

The metadata database is migrated once and copied at each start: what a stopped Airflow left half-done is not resumed.
What the pipeline did is kept by the workspace.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from children import START_SECONDS, Child
from environments import AIRFLOW, LOCAL, ROOT, STATE, SetupError, clean_environment
from http_json import ServerError, call

TEMPLATE = LOCAL / "airflow-migrated.db"
USER = "admin"
COMPONENTS = {
    "api-server": [],
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}


class Airflow:
    """Not started before `start`; every component ends with `stop` or with the launcher.

    All that it writes is in `state`; `settings` are environment variables on top of airflow/local.env.
    """

    def __init__(
        self, port: int, state: Path = STATE, settings: Optional[Dict[str, str]] = None
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.password = secrets.token_urlsafe(16)
        self.home = state / "airflow"
        self._logs = state / "logs"
        self._settings = settings or {}
        self._port = port
        self._env: Dict[str, str] = {}
        self._children: Dict[str, Child] = {}
        self._token = ""

    def start(self, workspace_port: int, workspace_token: str) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._env = self._environment(workspace_port, workspace_token)
        self._migrate()
        for leftover in self.home.glob("airflow.db*"):
            leftover.unlink()
        shutil.copyfile(TEMPLATE, self.home / "airflow.db")
        # So that readers do not wait for the writer.
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db")) as database:
            database.execute("PRAGMA journal_mode=WAL")
        for name in COMPONENTS:
            self.start_component(name)

    def start_component(self, name: str) -> None:
        """One of COMPONENTS, for the first time or after its end."""
        command = [_executable(), name, *COMPONENTS[name]]
        log = self._logs / f"airflow-{name}.log"
        self._children[name] = Child(f"Airflow's {name}", command, self._env, log)

    def component(self, name: str) -> Child:
        return self._children[name]

    def stop(self) -> None:
        for child in self._children.values():
            child.begin_stop()
        for child in self._children.values():
            child.stop()

    def check(self) -> None:
        for child in self._children.values():
            child.check()

    def wait_until_ready(self, dag_ids: List[str]) -> None:
        """Until the API answers and has parsed the DAGs; SetupError if a component ends before."""
        self.component("api-server").wait_until(self._logged_in, START_SECONDS)
        # The first request to the execution API takes seconds, which no task should have to wait for.
        call("GET", f"{self.url}/execution/health")
        self.component("dag-processor").wait_until(
            lambda: all(map(self._knows, dag_ids)), START_SECONDS
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return call(method, f"{self.url}/api/v2/{path}", self._token, body)

    def set_variable(self, key: str, value: Any) -> None:
        self.call("POST", "variables", {"key": key, "value": json.dumps(value)})

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def unpause_and_run(self, dag_id: str) -> str:
        """The id of the DAG run that the schedule starts at once, some hours of the day, else of a triggered one."""
        is_due = self.is_due(dag_id)
        self.unpause(dag_id)
        return self.scheduled_run(dag_id) if is_due else self.trigger(dag_id)

    def is_due(self, dag_id: str) -> bool:
        """Whether the schedule starts a DAG run as soon as the DAG is unpaused."""
        run_after = self.call("GET", f"dags/{dag_id}")["next_dagrun_run_after"]
        if run_after is None:
            return False
        moment = datetime.fromisoformat(run_after.replace("Z", "+00:00"))
        return moment <= datetime.now(timezone.utc)

    def scheduled_run(self, dag_id: str) -> str:
        """The id of the DAG run that the schedule starts, as soon as it has."""
        self.component("scheduler").wait_until(lambda: bool(self.dag_runs(dag_id)), START_SECONDS)
        return str(self.dag_runs(dag_id)[0]["dag_run_id"])

    def trigger(self, dag_id: str, conf: Optional[Dict[str, Any]] = None) -> str:
        """The id of the new DAG run; `conf` are its Params."""
        run = self.call(
            "POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}}
        )
        return str(run["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> Dict[str, Any]:
        found: Dict[str, Any] = self.call("GET", f"dags/{dag_id}/dagRuns/{quoted(run_id)}")
        return found

    def dag_runs(self, dag_id: str) -> List[Dict[str, Any]]:
        """Newest first."""
        runs: List[Dict[str, Any]] = self.call("GET", f"dags/{dag_id}/dagRuns?order_by=-run_after")[
            "dag_runs"
        ]
        return runs

    def task_states(self, dag_id: str, run_id: str) -> Dict[str, str]:
        path = f"dags/{dag_id}/dagRuns/{quoted(run_id)}/taskInstances"
        instances = self.call("GET", path)["task_instances"]
        return {instance["task_id"]: instance["state"] or "scheduled" for instance in instances}

    def _logged_in(self) -> bool:
        try:
            body = {"username": USER, "password": self.password}
            self._token = call("POST", f"{self.url}/auth/token", body=body)["access_token"]
        except ServerError:
            return False
        return True

    def _knows(self, dag_id: str) -> bool:
        try:
            self.call("GET", f"dags/{dag_id}")
        except ServerError:
            return False
        return True

    def _environment(self, workspace_port: int, workspace_token: str) -> Dict[str, str]:
        connection = {
            "conn_type": "databricks",
            "schema": "http",
            "host": "127.0.0.1",
            "port": workspace_port,
            "password": workspace_token,
        }
        passwords = self.home / "passwords.json"
        descriptor = os.open(passwords, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({USER: self.password}, file)
        inherited = clean_environment()
        return {
            **inherited,
            **_settings(ROOT / "airflow" / "local.env"),
            "PATH": f"{AIRFLOW.python.parent}{os.pathsep}{inherited['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            # SQLite takes one writer at a time; with its usual 5 s a busy scheduler gives up and ends.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "airflow" / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
            # Else each component that starts first in an empty AIRFLOW_HOME may make one of its own, or have none,
            # and the triggerer cannot read a connection that was saved in the UI.
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW_CONN_DATABRICKS_DEFAULT": json.dumps(connection),
            **self._settings,
        }

    def _migrate(self) -> None:
        """The metadata database, made once per Airflow environment."""
        stamp = TEMPLATE.with_suffix(".stamp")
        wanted = AIRFLOW.stamp.read_text()
        if TEMPLATE.exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        TEMPLATE.parent.mkdir(parents=True, exist_ok=True)
        # Another process may copy the template, or make it too.
        made = TEMPLATE.with_suffix(f".{os.getpid()}")
        made.unlink(missing_ok=True)
        env = {**self._env, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{made}"}
        done = subprocess.run(
            [_executable(), "db", "migrate"],
            env=env,
            cwd=self.home,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            log = self._logs / "airflow-migrate.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(done.stdout + done.stderr)
            raise SetupError(f"Airflow's database could not be made (log: {log}).")
        made.replace(TEMPLATE)
        stamp.write_text(wanted)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _executable() -> str:
    return str(AIRFLOW.python.parent / "airflow")


def _settings(path: Path) -> Dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def quoted(run_id: str) -> str:
    return quote(run_id, safe="")
