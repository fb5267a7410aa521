"""Where the workspace listens, and for whom."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from every_route import every_route

from local_workspace import cli
from local_workspace.api.app import create_app
from local_workspace.errors import LocalWorkspaceError
from local_workspace.server import serve
from local_workspace.settings import StateDir


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The addresses that would have been served, on the state folder that is set."""
    addresses: list[str] = []

    def run(_: uvicorn.Server, sockets: list[Any]) -> None:
        addresses.extend(socket.getsockname()[0] for socket in sockets)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setenv("LOCAL_WORKSPACE_STATE", str(tmp_path))
    return addresses


def test_the_workspace_listens_on_the_loopback_interface_alone(
    bound: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert cli.main(["serve", "--port", "0"]) == 0
    assert bound == ["127.0.0.1"]
    assert caplog.messages == []


def test_another_address_is_asked_for_by_name_and_warned_of(
    bound: list[str], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", "--port", "0", "--insecure-bind", "0.0.0.0"]) == 0
    assert bound == ["0.0.0.0"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "open to the network on 0.0.0.0. Nothing is encrypted" in record.message
    assert "Local workspace on http://127.0.0.1:" in capsys.readouterr().out


def test_only_addresses_of_this_machine_can_be_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LocalWorkspaceError, match=r"192\.0\.2\.1 is no address of this machine"):
        serve(StateDir(tmp_path), 0, "192.0.2.1")
    with pytest.raises(SystemExit):
        cli.main(["serve", "--insecure-bind", "evil.example"])
    assert "invalid _ipv4 value: 'evil.example'" in capsys.readouterr().err


def test_an_exposed_workspace_answers_to_addresses_but_not_to_names(tmp_path: Path) -> None:
    """A name may have been rebound to this machine by a page of the web; an address cannot be."""
    with every_route(tmp_path) as target:
        path = "/api/2.2/jobs/list"
        hosts = ("127.0.0.1:8765", "localhost", "192.0.2.1:8765", "evil.example", "[::1]:1")
        inside = [target.send("GET", path, headers={"host": host}).status for host in hosts]
        target.app = create_app(target.workspace, is_exposed=True)
        exposed = [target.send("GET", path, headers={"host": host}).status for host in hosts]
    assert inside == [200, 200, 403, 403, 403]
    assert exposed == [200, 200, 200, 403, 200]
