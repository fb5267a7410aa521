"""A whole local workspace that starts at once: forked from a process that has imported all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from databricks.sdk import WorkspaceClient

from local_workspace.client import connect
from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import StateDir
from support.waiting import wait_until

TEMPLATE = """
import functools, importlib, os, signal, sys
from local_workspace import cli, server, workspace
from local_workspace.api.app import API_MODULES

for name in API_MODULES:
    importlib.import_module("local_workspace.api." + name)
# What tasks usually import takes seconds to load, and these tasks import nothing of it.
workspace.TaskProcesses = functools.partial(workspace.TaskProcesses, preload=())
# Nobody waits for the workspaces, so they leave no zombies.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ["LOCAL_WORKSPACE_STATE"] = sys.argv[1]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os._exit(cli.main(["serve", "--port", line.strip()]))
    print(pid, flush=True)
"""
"""Forks a workspace for each port that it reads; `local-workspace serve` does the rest."""


class ForkedWorkspace:
    """Serves one state folder, always at the same address; may be killed and started again."""

    def __init__(self, state: StateDir, template: subprocess.Popen[str]) -> None:
        self.state = state
        self._template = template
        self._port = 0
        self.pid = 0

    @property
    def is_running(self) -> bool:
        return self.pid > 0 and psutil.pid_exists(self.pid)

    @property
    def log(self) -> str:
        return (self.state.root / "server.log").read_text()

    def start(self) -> WorkspaceClient:
        """Returns when it answers."""
        assert self._template.stdin is not None
        assert self._template.stdout is not None
        print(self._port, file=self._template.stdin, flush=True)
        self.pid = int(self._template.stdout.readline() or 0)
        client = self._connected()
        self._port = int(client.config.host.rpartition(":")[2])
        return client

    def client(self) -> WorkspaceClient:
        return connect(self.state)

    def statement_states(self) -> list[str]:
        with contextlib.closing(sqlite3.connect(self.state.database)) as connection:
            return [row[0] for row in connection.execute("SELECT state FROM sql_statements")]

    def kill(self) -> None:
        assert self.pid, "It has not been started."
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not self.is_running, "the workspace's end")

    def terminate(self) -> None:
        """SIGTERM; returns when it has ended."""
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not self.is_running, f"the end of the workspace on SIGTERM\n{self.log}")

    def child(self, command: str) -> psutil.Process | None:
        """The child process of the workspace that has `command` in its command line."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children():
                if command in " ".join(child.cmdline()):
                    return child
        return None

    def _connected(self) -> WorkspaceClient:
        def connected() -> WorkspaceClient | None:
            assert self.is_running, self.log
            try:
                return connect(self.state)
            except LocalWorkspaceError:
                return None

        return wait_until(connected, "the workspace's answer")


@contextmanager
def forked_workspace(root: Path) -> Iterator[ForkedWorkspace]:
    """Nothing is started yet; whatever is, ends with the block."""
    root.mkdir(parents=True)
    with (
        (root / "server.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-c", TEMPLATE, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as template,
    ):
        served = ForkedWorkspace(StateDir(root), template)
        try:
            yield served
        finally:
            if served.is_running:
                served.kill()
