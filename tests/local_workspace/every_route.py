"""All routes of a workspace that executes nothing, called without a socket in between."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from asgi import Answer, request
from scripted import EnginelessWorkspace, ScriptedTasks
from starlette.applications import Starlette
from starlette.routing import Route

from local_workspace.api.app import API_MODULES, create_app
from local_workspace.execution.conductor import Conductor
from local_workspace.settings import StateDir
from local_workspace.sql.errors import SqlError
from local_workspace.workspace import Workspace


@dataclass
class Target:
    app: Starlette
    workspace: Workspace
    tasks: ScriptedTasks
    runner: asyncio.Runner

    def send(self, method: str, path: str, **what: Any) -> Answer:
        what = {"token": self.workspace.token, **what}
        return self.runner.run(request(self.app, method, path, **what))


class NoEngine:
    remote = "sc://127.0.0.1:3"


class NoWarehouse:
    """Refuses every statement, as Spark does one that it cannot parse."""

    is_running = True

    async def execute(self, *_: Any, **__: Any) -> Any:
        raise SqlError("[PARSE_SYNTAX_ERROR] Syntax error.", "42601")

    async def start(self) -> None:
        """It runs already."""

    async def stop(self) -> None:
        """It runs on."""

    def submit(self, _: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    def cancel(self, _: str) -> None:
        """Every statement has failed by then."""


@contextmanager
def every_route(state: Path) -> Iterator[Target]:
    """The workspace on the folder `state`; fails at the end if anything went wrong behind an answer."""
    workspace = EnginelessWorkspace(StateDir(state), "http://127.0.0.1:2")
    tasks = ScriptedTasks()
    workspace.conductor = Conductor(
        jobs=workspace.jobs,
        runs=workspace.runs,
        task_runs=workspace.task_runs,
        execute=tasks.execute,
        host=lambda: "http://h",
    )
    workspace.engine = NoEngine()  # type: ignore[assignment]
    workspace.warehouse = NoWarehouse()  # type: ignore[assignment]
    behind: list[dict[str, Any]] = []
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, context: behind.append(context))
        yield Target(create_app(workspace), workspace, tasks, runner)
        runner.run(workspace.conductor.stop())
    assert behind == [], "An exception was raised behind an answer."
    workspace.db.close()


def routes() -> list[tuple[str, Route]]:
    """Each method of each route."""
    found = []
    for name in API_MODULES:
        for route in importlib.import_module(f"local_workspace.api.{name}").routes:
            assert isinstance(route, Route)
            found += [(method, route) for method in sorted(route.methods or ())]
    return found


@cache
def field_names() -> list[str]:
    """Every parameter that some route reads, as its source names it."""
    folder = resources.files("local_workspace.api")
    source = "".join(
        Path(str(file)).read_text() for file in folder.iterdir() if file.name.endswith(".py")
    )
    return sorted(set(re.findall(r'params(?:\.\w+\(|\[)\s*"(\w+)"', source)))
