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
from support.waiting import wait_until

from local_workspace.api import app as api
from local_workspace.api.sql import WAREHOUSE_ID
from local_workspace.execution.warehouse import Warehouse
from local_workspace.store.database import Database
from local_workspace.store.statements import StatementStore

from .conftest import Runner
from .test_warehouse import Engine

UNDER_WAY = (StatementState.PENDING, StatementState.RUNNING)


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
    """The statement's answer; at its end, unless the options say how long to wait."""
    execution = client.statement_execution
    answer = execution.execute_statement(statement, WAREHOUSE_ID, **options)
    if options.keys() & {"wait_timeout", "on_wait_timeout"}:
        return answer

    def ended() -> StatementResponse | None:
        now = execution.get_statement(answer.statement_id or "")
        return None if state_of(now) in UNDER_WAY else now

    return (
        answer
        if state_of(answer) not in UNDER_WAY
        else wait_until(ended, f"the end of {statement}")
    )


def state_of(answer: StatementResponse) -> StatementState:
    assert answer.status is not None
    assert answer.status.state is not None
    return answer.status.state
