"""One local workspace: all its parts, put together once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from local_workspace.execution.background import finish, supervise
from local_workspace.execution.conductor import Conductor
from local_workspace.execution.engine import Engine
from local_workspace.execution.faults import Faults
from local_workspace.execution.libraries import Libraries
from local_workspace.execution.processes import TaskProcesses
from local_workspace.execution.sql_tasks import SqlTasks
from local_workspace.execution.tasks import TaskExecutor
from local_workspace.execution.warehouse import Warehouse
from local_workspace.pages.render import Pages
from local_workspace.pages.sessions import PageSessions
from local_workspace.settings import (
    CLIENT_RATE_LIMIT,
    WORKSPACE_ID,
    StateDir,
    load_or_make_token,
    write_env_file,
)
from local_workspace.store.catalog import Catalog
from local_workspace.store.database import Database
from local_workspace.store.jobs import JobStore
from local_workspace.store.permissions import Permissions
from local_workspace.store.queries import QueryStore
from local_workspace.store.runs import RunStore
from local_workspace.store.secret_acls import SecretAcls
from local_workspace.store.secrets import Secrets
from local_workspace.store.statements import StatementStore
from local_workspace.store.task_runs import TaskRunStore
from local_workspace.store.volumes import Volumes
from local_workspace.store.workspace_files import WorkspaceFiles

RUNTIME_VERSION = "17.3"
"""Databricks Runtime whose Spark, Python and databricks-connect versions the local workspace keeps to."""
TASKS_END_SECONDS = 1.5
"""More than a task that is told to end gets before it is killed."""
PROCESSES_END_SECONDS = 5
"""More than the fork server and the engine get before they are killed."""


class Workspace:
    """State in `state`, reached at `url`. Nothing runs before `start`."""

    def __init__(self, state: StateDir, url: str) -> None:
        state.create()
        self.state = state
        self.url = url
        self.token = load_or_make_token(state.env_file)
        self.page_sessions = PageSessions(url)
        self.faults = Faults()

        self.db = Database(state.database)
        self.jobs = JobStore(self.db)
        self.runs = RunStore(self.db)
        self.task_runs = TaskRunStore(self.db)
        self.files = WorkspaceFiles(self.db, state.mounts)
        self.permissions = Permissions(self.db)
        self.catalog = Catalog(self.db, state.tables)
        self.volumes = Volumes(self.db, state.mounts)
        self.statements = StatementStore(self.db, state.results)
        self.secrets = Secrets(self.db)
        self.secret_acls = SecretAcls(self.db, self.secrets)
        self.queries = QueryStore(self.db)

        self.engine = Engine(
            state, f"{url}/api/2.1/unity-catalog", self.token, self.catalog.catalog_names
        )
        self.processes = TaskProcesses(state)
        self.warehouse = Warehouse(self.processes, self.engine, state.mounts, self.task_environment)
        self.libraries = Libraries(state.libraries, self.processes)
        executor = TaskExecutor(
            state=state,
            files=self.files,
            processes=self.processes,
            sql=SqlTasks(self.files, self.queries, self.warehouse),
            libraries=self.libraries,
            faults=self.faults,
            redactor=self.secrets.redactor,
            environment=self.task_environment,
            spark_remote=lambda: self.engine.remote,
            end_sessions=self.warehouse.end_sessions,
        )
        self.conductor = Conductor(
            jobs=self.jobs,
            runs=self.runs,
            task_runs=self.task_runs,
            execute=executor.execute,
            host=lambda: self.url,
            least_seconds=1.0,
        )
        self.pages = Pages(self)
        self._warming: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Return when the engine is up and the env file is written; the task processes warm up beside that."""
        self._warm_up("the task processes", self.processes.start())
        self.catalog.tables.remove_leftovers()
        self.volumes.remove_leftovers()
        self.libraries.remove_leftovers()
        await self.engine.start()
        self.conductor.recover()
        self._write_env_file()
        self._warm_up("the SQL warehouse", self.warehouse.start())

    async def serve_catalogs(self) -> None:
        """Let the Spark sessions that begin from now on see the catalogs that there are now."""
        await self.engine.renew()
        self._write_env_file()

    async def stop(self) -> None:
        """End all that was started; what hangs does not keep it from ending the rest."""
        tasks, warehouse = self.conductor.stop(), self.warehouse.stop()
        await finish(TASKS_END_SECONDS, tasks=tasks, warehouse=warehouse)
        for warming in self._warming:
            warming.cancel()
        processes, engine = self.processes.stop(), self.engine.stop()
        await finish(PROCESSES_END_SECONDS, processes=processes, engine=engine)
        self.db.close()

    def _write_env_file(self) -> None:
        values = {
            "DATABRICKS_HOST": self.url,
            "DATABRICKS_TOKEN": self.token,
            "DATABRICKS_RATE_LIMIT": str(CLIENT_RATE_LIMIT),
        }
        write_env_file(self.state.env_file, {**values, **self.engine.client_environment})

    def _warm_up(self, name: str, start: Coroutine[Any, Any, None]) -> None:
        """Start ahead of the first task that needs it; a task that is earlier waits for it."""
        self._warming.append(supervise(f"Starting {name} ahead", start))

    def task_environment(self) -> dict[str, str]:
        """What every task's process has, as on Databricks: clients find the workspace without arguments."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "DATABRICKS_HOST": self.url,
            "DATABRICKS_TOKEN": self.token,
            "DATABRICKS_RUNTIME_VERSION": RUNTIME_VERSION,
            "DATABRICKS_WORKSPACE_ID": str(WORKSPACE_ID),
            **self.engine.client_environment,
        }
