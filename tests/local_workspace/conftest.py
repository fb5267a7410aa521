from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

sys.path.insert(0, str(Path(__file__).parent))

from scripted import ScriptedWorkspace, scripted_workspace
from served import Served
from serving import CatalogWorkspace, Switchboard, plugged_in, serving
from sql_on_sail import Sql, sql_on_sail
from support.workspace_process import workspace_process


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A whole workspace, which all tests share that run real tasks."""
    with workspace_process(tmp_path_factory.mktemp("served") / "state") as process:
        yield Served(process, process.start())


@pytest.fixture(scope="session")
def switchboard() -> Iterator[Switchboard]:
    board = Switchboard()
    with serving(board) as board.url:
        yield board


@pytest.fixture
def workspace(switchboard: Switchboard, tmp_path: Path) -> Iterator[CatalogWorkspace]:
    """Unity Catalog and the volumes, served from an empty state folder."""
    with plugged_in(switchboard, tmp_path / "state") as served:
        yield served


@pytest.fixture
def client(workspace: CatalogWorkspace) -> WorkspaceClient:
    return WorkspaceClient(host=workspace.url, token=workspace.token, auth_type="pat")


@pytest.fixture
def scripted(switchboard: Switchboard, tmp_path: Path) -> Iterator[ScriptedWorkspace]:
    """All routes, on an empty state folder, with tasks that a test scripts."""
    with scripted_workspace(switchboard, tmp_path / "scripted") as served:
        yield served


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sql]:
    """A Spark session with the statements of the SQL warehouse, on a state folder of the module's own."""
    with sql_on_sail(tmp_path_factory.mktemp("state")) as sql:
        yield sql
