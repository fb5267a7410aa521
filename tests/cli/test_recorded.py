"""What the Databricks CLI sends, as `make cli-check RECORD=1` has recorded it, answered as it was then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cli.commands import SCENARIOS
from cli.recording import load
from cli.replay import Replay
from support.workspace_process import WorkspaceProcess, workspace_process

from local_workspace.settings import read_env_file


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcess]:
    with workspace_process(tmp_path_factory.mktemp("workspace")) as served:
        served.start()
        yield served


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_recorded_requests_are_answered_as_the_cli_was(
    workspace: WorkspaceProcess, scenario: str
) -> None:
    values = read_env_file(workspace.state.env_file)
    host = values["DATABRICKS_HOST"]
    machine = {"host": host, "state": str(workspace.state.root)}
    replay = Replay(host, values["DATABRICKS_TOKEN"], machine)
    for step in load(scenario):
        replay.run(step)


def test_the_env_file_lifts_the_clients_request_limit(workspace: WorkspaceProcess) -> None:
    """The CLI sends 15 requests per second, unless it is told otherwise: 33 s for 500 files."""
    limit = read_env_file(workspace.state.env_file)["DATABRICKS_RATE_LIMIT"]
    assert int(limit) >= 500
