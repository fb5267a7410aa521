"""The Statement Execution API on a real warehouse, without the rest of a workspace."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import StatementResponse, StatementState

from local_workspace.api import app as api
from local_workspace.api.sql import WAREHOUSE_ID
from local_workspace.execution.warehouse import Warehouse
from local_workspace.store.database import Database
from local_workspace.store.statements import StatementStore

from .conftest import Runner
from .test_warehouse import Engine


@dataclass
class SqlWorkspace:
    """As much of a workspace as the SQL routes need."""

    db: Database
    statements: StatementStore
    warehouse: Warehouse
    url: str = ""
    token: str = "dapi-test"
    page_sessions: None = None
    faults: tuple[()] = ()

    @property
    def client(self) -> WorkspaceClient:
        return WorkspaceClient(host=self.url, token=self.token, auth_type="pat")


@contextmanager
def sql_workspace(runner: Runner, root: Path) -> Iterator[SqlWorkspace]:
    """The SQL routes, served in the runner's loop from the folder `root`."""
    db = Database(root / "workspace.db")
    warehouse = Warehouse(runner.processes, Engine(runner.remote), root, dict)
    workspace = SqlWorkspace(db, StatementStore(db, root / "results"), warehouse)
    with mock.patch.object(api, "API_MODULES", ("sql",)):
        app = api.create_app(workspace)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        workspace.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.run_coroutine_threadsafe(server._serve([listener]), runner.loop)
        yield workspace
        server.should_exit = True
        serving.result()
    runner.wait(warehouse.stop())
    db.close()


def execute(client: WorkspaceClient, statement: str, **options: Any) -> StatementResponse:
    return client.statement_execution.execute_statement(statement, WAREHOUSE_ID, **options)


def state_of(answer: StatementResponse) -> StatementState:
    assert answer.status is not None
    assert answer.status.state is not None
    return answer.status.state
