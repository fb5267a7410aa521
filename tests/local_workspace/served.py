"""A whole workspace in a process of its own, and its client, for tests that run real tasks."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run, RunOutput
from databricks.sdk.service.workspace import ImportFormat, Language
from support.waiting import wait_until
from support.workspace_process import WorkspaceProcess

FOLDER = "/Workspace/Shared/served"


class Served:
    def __init__(self, process: WorkspaceProcess, client: WorkspaceClient) -> None:
        self.process = process
        self.client = client
        self.client.workspace.mkdirs(FOLDER)
        self._names = itertools.count()

    def local(self, path: str) -> Path:
        """Where a path of the workspace is on this machine."""
        return self.process.state.mounts / path.removeprefix("/")

    def add_notebook(self, name: str, source: str) -> str:
        """The notebook's path."""
        path = f"{FOLDER}/{name}"
        content = base64.b64encode(source.encode()).decode()
        form, language = ImportFormat.SOURCE, Language.PYTHON
        self.client.workspace.import_(
            path, content=content, format=form, language=language, overwrite=True
        )
        return path

    def start(self, source: str) -> int:
        """The run id of a Python script."""
        path = f"{FOLDER}/script_{next(self._names)}.py"
        content = base64.b64encode(source.encode()).decode()
        self.client.workspace.import_(path, content=content, format=ImportFormat.AUTO)
        return self.submit(spark_python_task={"python_file": path})

    def start_notebook(self, source: str, **settings: Any) -> int:
        path = self.add_notebook(f"notebook_{next(self._names)}", source)
        return self.submit(notebook_task={"notebook_path": path}, **settings)

    def submit(self, **task: Any) -> int:
        """The run id of a run of that task alone."""
        body = {"run_name": "served", "tasks": [{"task_key": "t", **task}]}
        answer: Any = self.client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)
        return int(answer["run_id"])

    def ended(self, run_id: int) -> Run:
        get_run = self.client.jobs.get_run
        wait_until(lambda: get_run(run_id).end_time != 0, f"the end of run {run_id}")
        return get_run(run_id)

    def output(self, run_id: int) -> RunOutput:
        """Of the run's one task, once it has ended."""
        self.ended(run_id)
        return self.client.jobs.get_run_output(run_id)

    def result(self, source: str, **settings: Any) -> str | None:
        """What a notebook gives to `dbutils.notebook.exit`."""
        output = self.output(self.start_notebook(source, **settings))
        assert output.error is None, output.error_trace
        assert output.notebook_output is not None
        return output.notebook_output.result

    def log(self, run_id: int) -> Path:
        tasks = self.client.jobs.get_run(run_id).tasks
        assert tasks is not None
        return self.process.state.task_logs / f"{tasks[0].run_id}.log"

    def printed(self, run_id: int) -> str:
        """What the run's one task has printed so far."""
        log = self.log(run_id)
        return log.read_text() if log.exists() else ""

    def printed_pids(self, run_id: int, count: int) -> list[int]:
        """As soon as the task has printed that many."""

        def pids() -> list[int] | None:
            found = [int(word) for word in self.printed(run_id).split() if word.isdecimal()]
            return found if len(found) == count else None

        return wait_until(pids, f"{count} process ids")


def result_of(run: Run) -> tuple[str, str]:
    assert run.tasks is not None
    state: dict[str, Any] = run.tasks[0].as_dict()["state"]
    return state["result_state"], state["state_message"]
