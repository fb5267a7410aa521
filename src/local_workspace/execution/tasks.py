"""Runs one attempt of a task for real, in a process of its own or on the SQL warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from local_workspace.errors import ApiError
from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending, Settings
from local_workspace.execution.faults import Faults
from local_workspace.execution.libraries import Libraries, LibraryError
from local_workspace.execution.processes import Exit, TaskProcesses
from local_workspace.execution.warehouse import SqlError, Warehouse
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import Termination
from local_workspace.paths import resolve, to_databricks, to_local
from local_workspace.settings import StateDir
from local_workspace.store.workspace_files import WorkspaceFiles

MAX_OUTPUT = 5 * 1024 * 1024
"""Databricks keeps the last 5 MB of a task's output."""


class TaskExecutor:
    """Knows how each kind of task is executed; knows nothing of runs, retries or repairs."""

    def __init__(
        self,
        *,
        state: StateDir,
        files: WorkspaceFiles,
        processes: TaskProcesses,
        warehouse: Warehouse,
        libraries: Libraries,
        faults: Faults,
        redactor: Callable[[], Callable[[str], str]],
        environment: Callable[[], dict[str, str]],
        spark_remote: Callable[[], str],
    ) -> None:
        self._state = state
        self._files = files
        self._processes = processes
        self._warehouse = warehouse
        self._libraries = libraries
        self._faults = faults
        self._redactor = redactor
        self._environment = environment
        self._spark_remote = spark_remote
        self._kinds: dict[str, Callable[[Attempt], Awaitable[Ending]]] = {
            "notebook_task": self._notebook,
            "python_wheel_task": self._python_wheel,
            "spark_python_task": self._spark_python,
            "sql_task": self._sql,
        }

    async def execute(self, attempt: Attempt) -> Ending:
        """How the attempt ended. Cancelling the awaiting asyncio task ends the whole process tree."""
        fault = self._faults.for_task(attempt.task_run.task_key)
        if fault:
            await asyncio.sleep(fault.delay_seconds)
            attempt.on_started()
            return Ending(
                WORKLOAD_FAILED, {"error": f"InjectedFault: {fault.message}", "error_trace": ""}
            )
        kind = attempt.task_run.kind
        run = self._kinds.get(kind)
        if run is None:
            message = f"The local workspace does not have {kind}; run this task on a Databricks workspace."
            return Ending(
                Termination(Outcome.FAILED, "FEATURE_DISABLED", message), {"error": message}
            )
        try:
            return await run(attempt)
        except LibraryError as error:
            return _platform_failure("LIBRARY_INSTALLATION_ERROR", str(error))
        except ApiError as error:
            return _platform_failure("RESOURCE_NOT_FOUND", error.message)

    # Kinds

    async def _notebook(self, attempt: Attempt) -> Ending:
        task = attempt.settings["notebook_task"]
        notebook = self._files.notebook(task["notebook_path"])
        spec = {
            "kind": "notebook",
            "source": notebook.source,
            "name": notebook.path,
            "language": notebook.language,
            "widgets": self._local(task.get("base_parameters") or {}),
            "cwd": str(self._folder(notebook.path)),
        }
        return await self._in_process(attempt, spec)

    async def _python_wheel(self, attempt: Attempt) -> Ending:
        task = attempt.settings["python_wheel_task"]
        named = [
            f"--{name}={value}" for name, value in (task.get("named_parameters") or {}).items()
        ]
        spec = {
            "kind": "python_wheel",
            "package_name": task.get("package_name"),
            "entry_point": task.get("entry_point"),
            "argv": self._local(named or task.get("parameters") or []),
        }
        return await self._in_process(attempt, spec)

    async def _spark_python(self, attempt: Attempt) -> Ending:
        task = attempt.settings["spark_python_task"]
        file = self._files.local_file(task["python_file"])
        spec = {
            "kind": "spark_python",
            "file": str(file),
            "argv": self._local(task.get("parameters") or []),
            "cwd": str(file.parent),
        }
        return await self._in_process(attempt, spec)

    async def _sql(self, attempt: Attempt) -> Ending:
        task = attempt.settings["sql_task"]
        file = task.get("file")
        if not file:
            message = "The local workspace runs sql_task.file only; queries, alerts and dashboards are not there."
            return Ending(
                Termination(Outcome.FAILED, "FEATURE_DISABLED", message), {"error": message}
            )
        script = self._files.local_file(file["path"]).read_text()
        attempt.on_started()
        try:
            results = await self._warehouse.execute(script, task.get("parameters") or {})
        except SqlError as error:
            return Ending(WORKLOAD_FAILED, {"error": str(error), "error_trace": str(error)})
        columns = [name for name, *_ in results[-1].columns] if results else []
        rows = (
            [dict(zip(columns, row, strict=True)) for row in results[-1].rows[:1000]]
            if results
            else []
        )
        output = {
            "rows": rows,
            "sql": {
                "query_text": script,
                "warehouse_id": task.get("warehouse_id"),
                "statements": len(results),
            },
        }
        return Ending(SUCCEEDED, output)

    # Processes

    async def _in_process(self, attempt: Attempt, kind: Settings) -> Ending:
        task_run = attempt.task_run
        log = self._state.task_logs / f"{task_run.run_id}.log"
        context = {
            "job_id": attempt.job_id,
            "job_run_id": task_run.job_run_id,
            "task_run_id": task_run.run_id,
            "task_key": task_run.task_key,
        }
        spec = {
            "task_run_id": task_run.run_id,
            "log": str(log),
            "cwd": None,
            "sys_path": await self._library_paths(attempt),
            "env": self._environment(),
            "spark_remote": self._spark_remote(),
            "context": context,
            "task_values": self._local(attempt.task_values),
            **kind,
        }
        events = _Events(attempt, self._state.mounts)
        exit = await self._processes.run(spec, events)
        ending = events.ending(exit)
        return Ending(ending.termination, _each_text(ending.output, self._redactor()))

    async def _library_paths(self, attempt: Attempt) -> list[str]:
        """The task's libraries, or those of its environment, installed: folders for the front of sys.path."""
        settings = attempt.settings
        environment = attempt.environments.get(settings.get("environment_key") or "", {})
        dependencies = (environment.get("spec") or {}).get("dependencies") or []
        wheels = [item["whl"] for item in settings.get("libraries") or () if "whl" in item]
        requirements = [
            item["pypi"]["package"] for item in settings.get("libraries") or () if "pypi" in item
        ]
        for dependency in dependencies:
            (wheels if dependency.endswith(".whl") else requirements).append(dependency)
        local_wheels = [self._wheel(path) for path in wheels]
        if not local_wheels and not requirements:
            return []
        return await self._libraries.ensure(local_wheels, requirements)

    def _wheel(self, path: str) -> Path:
        local = resolve(self._state.mounts, path)
        if not local.is_file():
            raise LibraryError(f"Library not found: {path}. Deploy the bundle again.")
        return local

    def _folder(self, path: str) -> Path:
        return resolve(self._state.mounts, path).parent

    def _local(self, value: Any) -> Any:
        return _each_text(value, lambda text: to_local(text, self._state.mounts))


class _Events:
    """Collects what a task's process says while it runs."""

    def __init__(self, attempt: Attempt, mounts: Path) -> None:
        self._attempt = attempt
        self._mounts = mounts
        self._end: dict[str, Any] | None = None
        self._cells: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "started":
                self._attempt.on_started()
            case "task_value":
                value = _each_text(event["value"], lambda text: to_databricks(text, self._mounts))
                self._attempt.on_task_value(event["key"], value)
            case "cell":
                self._cells.append({k: v for k, v in event.items() if k != "event"})
            case "succeeded" | "failed":
                self._end = event

    def ending(self, exit: Exit) -> Ending:
        output: dict[str, Any] = {"cells": self._cells} if self._cells else {}
        if self._end is None:
            error = _unexpected_exit(exit)
            return Ending(WORKLOAD_FAILED, {**output, "error": error, "error_trace": ""})
        if self._end["event"] == "succeeded":
            result = self._end.get("result")
            return Ending(SUCCEEDED, {**output, **({} if result is None else {"result": result})})
        failure = {"error": self._end["error"], "error_trace": self._end["trace"]}
        return Ending(WORKLOAD_FAILED, {**output, **failure})


def _unexpected_exit(exit: Exit) -> str:
    if exit.signal:
        return f"The task's process was ended by signal {exit.signal} before the task had finished."
    return f"The task's process ended with exit code {exit.code} before the task had finished."


def _platform_failure(code: str, message: str) -> Ending:
    return Ending(Termination(Outcome.INTERNAL_ERROR, code, message), {"error": message})


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _each_text(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return value


def read_log(state: StateDir, task_run_id: int, redact: Callable[[str], str]) -> tuple[str, bool]:
    """The end of a task's output, without secrets, and whether its beginning is left out."""
    log = state.task_logs / f"{task_run_id}.log"
    if not log.exists():
        return "", False
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(0, size - MAX_OUTPUT))
        return redact(file.read().decode(errors="replace")), size > MAX_OUTPUT
