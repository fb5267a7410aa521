"""A whole workspace with its real routes, models and store, whose tasks do as a test says instead of running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from serving import Switchboard
from starlette.types import Receive, Scope, Send
from support.waiting import wait_until

from local_workspace.api.app import create_app
from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending
from local_workspace.execution.conductor import Conductor
from local_workspace.settings import StateDir
from local_workspace.workspace import Workspace

Json = dict[str, Any]
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


class ScriptedTasks:
    """By task key: `endings` for one attempt after another (the last one for all further), and who waits."""

    def __init__(self) -> None:
        self.endings: dict[str, list[Ending | bool]] = {}
        self.held: set[str] = set()
        self.attempts: list[Attempt] = []

    def started(self) -> list[str]:
        return [attempt.task_run.task_key for attempt in self.attempts]

    async def execute(self, attempt: Attempt) -> Ending:
        key = attempt.task_run.task_key
        count = self.started().count(key)
        self.attempts.append(attempt)
        attempt.on_started()
        while key in self.held:
            await asyncio.sleep(0.002)
        endings = self.endings.get(key, [True])
        ending = endings[min(count, len(endings) - 1)]
        if isinstance(ending, Ending):
            return ending
        return Ending(SUCCEEDED, {}) if ending else Ending(WORKLOAD_FAILED, {"error": "E: no"})


class EnginelessWorkspace(Workspace):
    async def serve_catalogs(self) -> None:
        """Nobody has a Spark session."""


class ScriptedWorkspace:
    def __init__(self, switchboard: Switchboard, root: Path) -> None:
        self._switchboard = switchboard
        self._root = root
        self.tasks = ScriptedTasks()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open()

    def _open(self) -> None:
        workspace = EnginelessWorkspace(StateDir(self._root), self._switchboard.url)
        workspace.conductor = Conductor(
            jobs=workspace.jobs,
            runs=workspace.runs,
            task_runs=workspace.task_runs,
            execute=self.tasks.execute,
            host=lambda: workspace.url,
        )
        self.workspace = workspace
        app = create_app(workspace)
        recovered = False

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal recovered
            self._loop = asyncio.get_running_loop()
            if not recovered:
                recovered = True
                workspace.conductor.recover()
            await app(scope, receive, send)

        self._switchboard.app = serve
        self.client = WorkspaceClient(
            host=self._switchboard.url, token=workspace.token, auth_type="pat"
        )

    def close(self) -> None:
        self._switchboard.app = None
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self.workspace.conductor.stop(), self._loop).result()
        self.workspace.db.close()

    def restart(self) -> None:
        """As after the end of the process: another workspace on the same state."""
        token = self.workspace.token
        self.close()
        (self._root / "workspace.env").write_text(f"DATABRICKS_TOKEN={token}\n")
        self._open()

    # Calls, with the answers as they are on the wire

    def post(self, path: str, version: str = "2.2", **body: Any) -> Any:
        return self.client.api_client.do("POST", f"/api/{version}/jobs/{path}", body=body)

    def get(self, path: str, version: str = "2.2", **query: Any) -> Any:
        return self.client.api_client.do("GET", f"/api/{version}/jobs/{path}", query=query)

    def create(self, *tasks: Json, **settings: Any) -> int:
        return int(self.post("create", **{"name": "job", "tasks": tasks, **settings})["job_id"])

    def start(self, job_id: int, **request: Any) -> int:
        return int(self.post("run-now", job_id=job_id, **request)["run_id"])

    def run(self, job_id: int, **request: Any) -> Json:
        return self.ended(self.start(job_id, **request))

    def ended(self, run_id: int, **query: Any) -> Json:
        wait_until(
            lambda: life_cycle(self.get("runs/get", run_id=run_id)) in ENDED,
            f"the end of run {run_id}",
        )
        view: Json = self.get("runs/get", run_id=run_id, **query)
        return view

    def repair(self, run_id: int, **request: Any) -> Json:
        repair_id = self.post("runs/repair", run_id=run_id, **request)["repair_id"]
        return {**self.ended(run_id, include_history=True), "repair_id": repair_id}

    def until_started(self, *keys: str) -> None:
        wait_until(lambda: set(keys) <= set(self.tasks.started()), f"the start of {keys}")


@contextmanager
def scripted_workspace(switchboard: Switchboard, root: Path) -> Iterator[ScriptedWorkspace]:
    served = ScriptedWorkspace(switchboard, root)
    yield served
    served.tasks.held.clear()
    served.close()


def life_cycle(view: Json) -> str:
    return str(view["state"]["life_cycle_state"])


def results(run: Json) -> dict[str, str | None]:
    """task key -> result_state of its newest entry"""
    return {task["task_key"]: task["state"].get("result_state") for task in run["tasks"]}


def entries(run: Json, key: str) -> list[Json]:
    return [task for task in run["tasks"] if task["task_key"] == key]


def notebook(key: str, *after: str, **settings: Any) -> Json:
    parameters = settings.pop("parameters", {})
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": "/n", "base_parameters": parameters},
        "depends_on": [{"task_key": up} for up in after],
        **settings,
    }


def condition(key: str, left: str, right: str, *after: str, **settings: Any) -> Json:
    return {
        "task_key": key,
        "condition_task": {"op": "EQUAL_TO", "left": left, "right": right},
        "depends_on": [{"task_key": up} for up in after],
        **settings,
    }


def for_each(key: str, inputs: str, inner: Json, *after: str, **settings: Any) -> Json:
    return {
        "task_key": key,
        "for_each_task": {"inputs": inputs, "task": inner, **settings},
        "depends_on": [{"task_key": up} for up in after],
    }


def run_job(key: str, job_id: int | str, **settings: Any) -> Json:
    parameters = settings.pop("job_parameters", {})
    return {
        "task_key": key,
        "run_job_task": {"job_id": job_id, "job_parameters": parameters},
        **settings,
    }
