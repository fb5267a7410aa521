"""What the command line says when the workspace is not there, or not any more."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import ScriptedWorkspace

from local_workspace import cli, client
from local_workspace.settings import StateDir, write_env_file


@pytest.fixture
def closed_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that nobody listens on; a workspace was there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        values = {"DATABRICKS_HOST": f"http://127.0.0.1:{port}", "DATABRICKS_TOKEN": "dapi-test"}
        write_env_file(StateDir(tmp_path).env_file, values)
        monkeypatch.setenv("LOCAL_WORKSPACE_STATE", str(tmp_path))
        yield port


@pytest.mark.usefixtures("closed_port")
def test_a_workspace_that_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 1
    assert "error: No local workspace runs on" in capsys.readouterr().err


@pytest.mark.usefixtures("closed_port")
def test_a_workspace_that_ended_under_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the retries of `RETRY_SECONDS`, where the SDK's own are five minutes."""
    assert client.RETRY_SECONDS <= 10
    monkeypatch.setattr(client, "_answers", lambda _: True)
    monkeypatch.setattr(client, "RETRY_SECONDS", 1)
    assert cli.main(["status"]) == 1
    assert "error: The local workspace does not answer any more" in capsys.readouterr().err


def test_what_the_workspace_refuses_is_one_line(
    scripted: ScriptedWorkspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = scripted.client.config
    values = {"DATABRICKS_HOST": config.host or "", "DATABRICKS_TOKEN": config.token or ""}
    write_env_file(StateDir(tmp_path).env_file, values)
    monkeypatch.setenv("LOCAL_WORKSPACE_STATE", str(tmp_path))
    assert cli.main(["run", "99"]) == 1
    assert capsys.readouterr().err == "error: Job 99 does not exist.\n"
