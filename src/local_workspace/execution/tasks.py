"""Runs one attempt of a task for real, in a process of its own or on the SQL warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from local_workspace.errors import ApiError, ResourceDoesNotExist
from local_workspace.execution.attempt import WORKLOAD_FAILED, Attempt, Ending, Settings
from local_workspace.execution.faults import Faults
from local_workspace.execution.libraries import Libraries, LibraryError
from local_workspace.execution.library_set import LibrarySet
from local_workspace.execution.processes import TaskProcesses
from local_workspace.execution.sql_tasks import SqlTasks
from local_workspace.execution.task_events import TaskEvents, each_text
from local_workspace.execution.task_log import hide_secrets
from local_workspace.execution.task_process import OversizedMessage
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import Termination
from local_workspace.paths import resolve, to_local
from local_workspace.settings import USER_NAME, StateDir
from local_workspace.store.workspace_files import ROOT as WORKSPACE_ROOT
from local_workspace.store.workspace_files import WorkspaceFiles


class TaskExecutor:
    """Knows how each kind of task is executed; knows nothing of runs, retries or repairs."""

    def __init__(
        self,
        *,
        state: StateDir,
        files: WorkspaceFiles,
        processes: TaskProcesses,
        sql: SqlTasks,
        libraries: Libraries,
        faults: Faults,
        redactor: Callable[[], Callable[[str], str]],
        environment: Callable[[], dict[str, str]],
        spark_remote: Callable[[], str],
        end_sessions: Callable[[list[dict[str, str]]], None],
    ) -> None:
        self._state = state
        self._files = files
        self._processes = processes
        self._sql = sql
        self._libraries = libraries
        self._faults = faults
        self._redactor = redactor
        self._environment = environment
        self._spark_remote = spark_remote
        self._end_sessions = end_sessions
        self._kinds: dict[str, Callable[[Attempt], Awaitable[Ending]]] = {
            "notebook_task": self._notebook,
            "python_wheel_task": self._python_wheel,
            "spark_python_task": self._spark_python,
            "sql_task": self._sql.run,
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
        except OversizedMessage as error:
            return Ending(WORKLOAD_FAILED, {"error": str(error), "error_trace": ""})
        except LibraryError as error:
            return _platform_failure("LIBRARY_INSTALLATION_ERROR", str(error))
        except ApiError as error:
            return _platform_failure("RESOURCE_NOT_FOUND", error.message)

    # Kinds

    async def _notebook(self, attempt: Attempt) -> Ending:
        task = attempt.settings["notebook_task"]
        notebook = await asyncio.to_thread(self._files.notebook, task["notebook_path"])
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
        file = self._python_file(task["python_file"])
        spec = {
            "kind": "spark_python",
            "file": str(file),
            "argv": self._local(task.get("parameters") or []),
            "cwd": str(file.parent),
        }
        return await self._in_process(attempt, spec)

    def _python_file(self, path: str) -> Path:
        """In the workspace or in a volume; ResourceDoesNotExist without one."""
        volume_path = path.removeprefix("dbfs:")
        if not volume_path.startswith("/Volumes/"):
            return self._files.local_file(path)
        local = resolve(self._state.mounts, volume_path)
        if not local.is_file():
            raise ResourceDoesNotExist(f"Path ({path}) doesn't exist.")
        return local

    # Processes

    async def _in_process(self, attempt: Attempt, kind: Settings) -> Ending:
        task_run = attempt.task_run
        log = self._state.task_logs / f"{task_run.run_id}.log"
        context = {
            "job_id": attempt.job_id,
            "job_run_id": task_run.job_run_id,
            "task_run_id": task_run.run_id,
            "task_key": task_run.task_key,
            "user_name": USER_NAME,
        }
        spec = {
            "task_run_id": task_run.run_id,
            "log": str(log),
            "cwd": None,
            "sys_path": await self._library_paths(attempt),
            "env": self._environment(),
            "spark_remote": self._spark_remote(),
            "mounts": str(self._state.mounts),
            "context": context,
            "task_values": self._local(attempt.task_values),
            **kind,
        }
        events = TaskEvents(attempt, self._state.mounts)
        try:
            exit = await self._processes.run(spec, events)
        finally:
            self._end_sessions(events.sessions)
            redact = self._redactor()
            await asyncio.to_thread(hide_secrets, log, redact)
        ending = events.ending(exit)
        return Ending(ending.termination, each_text(ending.output, redact))

    async def _library_paths(self, attempt: Attempt) -> list[str]:
        """The task's libraries, or those of its environment, installed: folders for the front of sys.path."""
        wanted = LibrarySet(self._state.mounts)
        for library in attempt.settings.get("libraries") or ():
            wanted.add_library(library)
        environment = attempt.environments.get(attempt.settings.get("environment_key") or "", {})
        for dependency in (environment.get("spec") or {}).get("dependencies") or ():
            wanted.add_line(dependency, WORKSPACE_ROOT)
        return [await self._libraries.ensure(wanted)] if wanted else []

    def _folder(self, path: str) -> Path:
        return resolve(self._state.mounts, path).parent

    def _local(self, value: Any) -> Any:
        return each_text(value, lambda text: to_local(text, self._state.mounts))


def _platform_failure(code: str, message: str) -> Ending:
    return Ending(Termination(Outcome.INTERNAL_ERROR, code, message), {"error": message})
