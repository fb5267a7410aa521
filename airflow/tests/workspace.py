"""A real local workspace for the provider's operators: a process of the project's own environment, and its REST API."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from support.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
WAREHOUSE_ID = "10ca110ca1000001"


class RefusedByWorkspaceError(AssertionError):
    """The workspace does not do what a test asks of it."""


@dataclass(frozen=True)
class Workspace:
    """What a test does beside Airflow: prepare files and jobs, and look at what became of the runs."""

    host: str
    token: str

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        payload = {"params": body} if method == "GET" else {"json": body}
        return self._send(method, f"/api/{path}", **payload).json()

    def import_notebook(self, path: str, source: str) -> None:
        self._import(path, source, format="SOURCE", language="PYTHON")

    def import_file(self, path: str, source: str) -> None:
        self._import(path, source, format="RAW")

    def _import(self, path: str, source: str, **how: str) -> None:
        content = base64.b64encode(source.encode()).decode()
        self.call("POST", "2.0/workspace/import", {"path": path, "content": content, **how})

    def upload(self, path: str, content: bytes) -> None:
        """A file of a volume."""
        self._send("PUT", f"/api/2.0/fs/files{path}", params={"overwrite": "true"}, data=content)

    def rows(self, statement: str) -> list[list[str]]:
        body = {"statement": statement, "warehouse_id": WAREHOUSE_ID, "wait_timeout": "50s"}
        statement_id = self.call("POST", "2.0/sql/statements", body)["statement_id"]

        def ended() -> Any:
            answer = self.call("GET", f"2.0/sql/statements/{statement_id}")
            return None if answer["status"]["state"] in ("PENDING", "RUNNING") else answer

        answer = wait_until(ended, f"the end of {statement}")
        assert answer["status"]["state"] == "SUCCEEDED", answer["status"]
        return list(answer["result"].get("data_array", []))

    def run(self, run_id: int) -> Any:
        return self.call("GET", "2.2/jobs/runs/get", {"run_id": run_id, "include_history": "true"})

    def output(self, run_id: int, task_key: str | None = None) -> str:
        """What the last attempt of a task has returned (a notebook) or printed; of the only task without a key."""
        attempts = [
            task for task in self.run(run_id)["tasks"] if task_key in (None, task["task_key"])
        ]
        last = max(attempts, key=lambda task: task["start_time"])
        output = self.call("GET", "2.2/jobs/runs/get-output", {"run_id": last["run_id"]})
        returned = output.get("notebook_output", {}).get("result")
        return str(returned or output.get("logs", "")).strip()

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.request(
            method, f"{self.host}{path}", headers=headers, timeout=PATIENCE, **arguments
        )
        if not answer.ok:
            raise RefusedByWorkspaceError(f"{method} {path}: {answer.text}")
        return answer


@contextmanager
def serve_workspace(state: Path) -> Iterator[Workspace]:
    """Start it on a free port; returns when it answers, ends it with the block."""
    command = [str(PYTHON), "-m", "local_workspace.cli", "serve", "--port", "0"]
    environment = {**os.environ, "LOCAL_WORKSPACE_STATE": str(state)}
    with (
        (state / "server.log").open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            yield _answering(state, process)
        finally:
            process.terminate()


def _answering(state: Path, process: subprocess.Popen[bytes]) -> Workspace:
    def answering() -> Workspace | None:
        assert process.poll() is None, (state / "server.log").read_text()
        try:
            workspace = Workspace(**_address(state / "workspace.env"))
            workspace.call("GET", "2.0/preview/scim/v2/Me")
        except (FileNotFoundError, requests.ConnectionError):
            return None
        return workspace

    return wait_until(answering, "the workspace's answer")


def _address(file: Path) -> dict[str, str]:
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    return {name: values[f"DATABRICKS_{name.upper()}"] for name in ("host", "token")}
