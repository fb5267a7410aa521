"""SIGTERM ends the workspace, whatever hangs in it, and leaves no process behind."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat
from support.forked_workspace import ForkedWorkspace, forked_workspace
from support.waiting import PATIENCE, wait_until

from local_workspace.client import connect
from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import StateDir

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(1000)
"""
HUNG = """
import sys, time
from local_workspace import cli
from local_workspace.execution.conductor import Conductor

async def hang(self):
    time.sleep(1000)

Conductor.stop = hang
sys.exit(cli.main(["serve", "--port", "0"]))
"""
"""A workspace whose event loop hangs at its end."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ForkedWorkspace]:
    """A workspace that runs a task which ignores SIGTERM."""
    with forked_workspace(tmp_path / "state") as served:
        client = served.start()
        start_stubborn(client, served.state)
        yield served


def start_stubborn(client: WorkspaceClient, state: StateDir) -> None:
    client.workspace.mkdirs("/Shared")
    content = base64.b64encode(STUBBORN.encode()).decode()
    client.workspace.import_("/Shared/stubborn.py", content=content, format=ImportFormat.AUTO)
    start_script(client)
    wait_until(
        lambda: any("ready" in log.read_text() for log in state.task_logs.iterdir()),
        "the running task",
    )


def start_script(client: WorkspaceClient) -> None:
    task = {"task_key": "t", "spark_python_task": {"python_file": "/Shared/stubborn.py"}}
    body = {"run_name": "stubborn", "tasks": [task]}
    client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)


def end(served: ForkedWorkspace) -> None:
    """SIGTERM ends it, and all that it has started."""
    processes = psutil.Process(served.pid).children(recursive=True)
    assert processes
    served.terminate()
    wait_until(
        lambda: not any(process.is_running() for process in processes), "the end of all processes"
    )


def child(served: ForkedWorkspace, command: str) -> psutil.Process:
    found = served.child(command)
    assert found is not None
    return found


def test_a_task_that_ignores_sigterm(served: ForkedWorkspace) -> None:
    end(served)


def test_a_fork_server_that_hangs_with_requests_unread(served: ForkedWorkspace) -> None:
    child(served, "fork_server").suspend()
    start_script(served.client())
    end(served)


def test_a_fork_server_that_died_with_a_request_unread(served: ForkedWorkspace) -> None:
    server = child(served, "fork_server")
    server.suspend()
    start_script(served.client())
    server.kill()
    wait_until(lambda: served.child("fork_server") != server, "the end of the fork server")
    end(served)


def test_an_engine_that_does_not_end(served: ForkedWorkspace) -> None:
    child(served, "sail").suspend()
    end(served)


def test_a_request_under_way(served: ForkedWorkspace) -> None:
    client = served.client()
    (warehouse,) = client.warehouses.list()
    statement = {
        "warehouse_id": warehouse.id,
        "statement": "SELECT sum(a.id) FROM range(1000000000) a CROSS JOIN range(1000000) b",
        "wait_timeout": "50s",
    }
    connection = http.client.HTTPConnection(client.config.host.partition("://")[2])
    with closing(connection):
        headers = client.config.authenticate()
        connection.request("POST", "/api/2.0/sql/statements", json.dumps(statement), headers)
        wait_until(lambda: served.statement_states() == ["RUNNING"], "the running statement")
        end(served)


def test_an_event_loop_that_hangs(tmp_path: Path) -> None:
    """The log says where it was."""
    environment = {**os.environ, "LOCAL_WORKSPACE_STATE": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", HUNG], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: answers(StateDir(tmp_path)), "the workspace")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert "in hang" in process.stderr.read()


def answers(state: StateDir) -> bool:
    try:
        connect(state)
    except LocalWorkspaceError:
        return False
    return True
