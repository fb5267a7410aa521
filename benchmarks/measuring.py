"""What the benchmarks share: a workspace of their own, percentiles, and lines that say what a target came to."""

from __future__ import annotations

import base64
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat, Language

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.workspace_process import WorkspaceProcess  # noqa: E402

IMPORTS = "import databricks.connect, pandas, pyspark.sql.functions"
"""What a task's process has imported before the task's own code runs."""

Json = dict[str, Any]


@contextmanager
def workspace() -> Iterator[tuple[WorkspaceProcess, WorkspaceClient]]:
    """A workspace on a state folder of its own, warm: its first task has run."""
    with tempfile.TemporaryDirectory() as folder:
        served = WorkspaceProcess(Path(folder, "state"))
        try:
            client = served.start()
            import_notebook(client, "/Shared/nothing", "pass")
            run(client, notebook_task("/Shared/nothing"))
            yield served, client
        finally:
            served.stop()


def import_notebook(client: WorkspaceClient, path: str, source: str) -> None:
    client.workspace.mkdirs(path.rpartition("/")[0])
    content = base64.b64encode(f"# Databricks notebook source\n{source}".encode()).decode()
    client.workspace.import_(
        path,
        content=content,
        format=ImportFormat.SOURCE,
        language=Language.PYTHON,
        overwrite=True,
    )


def notebook_task(path: str, **parameters: str) -> Json:
    return {"notebook_task": {"notebook_path": path, "base_parameters": parameters}}


def create_job(client: WorkspaceClient, *tasks: Json, **settings: Any) -> int:
    keyed = [{"task_key": f"task_{number}", **task} for number, task in enumerate(tasks)]
    body = {"name": "benchmark", "max_concurrent_runs": 1000, "tasks": keyed, **settings}
    return int(post(client, "create", body)["job_id"])


def post(client: WorkspaceClient, path: str, body: Json) -> Any:
    return client.api_client.do("POST", f"/api/2.2/jobs/{path}", body=body)


def run(client: WorkspaceClient, task: Json) -> None:
    """Run one task to its success."""
    wait_for(client, int(post(client, "run-now", {"job_id": create_job(client, task)})["run_id"]))


def wait_for(client: WorkspaceClient, run_id: int) -> None:
    """The run's success; RuntimeError where it ends otherwise."""
    while True:
        state = client.jobs.get_run(run_id).as_dict()["state"]
        if result := state.get("result_state"):
            break
        time.sleep(0.01)
    if result != "SUCCESS":
        raise RuntimeError(f"Run {run_id} ended {result}: {state}")


class Connection:
    """Raw requests on one kept connection: what the server takes, without a client's own work."""

    def __init__(self, client: WorkspaceClient) -> None:
        host = client.config.host.partition("://")[2]
        self._connection = http.client.HTTPConnection(host, timeout=30)
        self._headers = client.config.authenticate()

    def get(self, path: str, body: Json | None = None) -> Json:
        text = None if body is None else json.dumps(body)
        self._connection.request("GET", path, text, self._headers)
        answer = self._connection.getresponse()
        content: Json = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content}")
        return content


def timed(action: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def cold_start(code: str = IMPORTS) -> float:
    """Milliseconds that a new Python process takes for `code`."""
    return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def line(what: str, value: float, limit: float | None, alternative: str, other: float) -> None:
    """One result in milliseconds, its limit where it has one, and its ratio to the alternative's."""
    verdict = (
        "" if limit is None else f"(at most {limit:g}: {'ok' if value <= limit else 'MISSED'})"
    )
    print(
        f"{what:44} {value:8.1f} ms {verdict:22} {value / other:7.3f} x {alternative} ({other:.1f} ms)",
        flush=True,
    )
