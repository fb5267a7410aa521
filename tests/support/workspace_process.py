"""A whole local workspace in a process of its own, as `make workspace` starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from databricks.sdk import WorkspaceClient

from local_workspace.client import connect
from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import StateDir
from support.waiting import PATIENCE, wait_until


class WorkspaceProcess:
    """Serves the state folder `root`; may be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.state = StateDir(root)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, port: int = 0) -> WorkspaceClient:
        command = [sys.executable, "-m", "local_workspace.cli", "serve", "--port", str(port)]
        environment = {**os.environ, "LOCAL_WORKSPACE_STATE": str(self.state.root)}
        self.state.root.mkdir(parents=True, exist_ok=True)
        with (self.state.root / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        return self._connected()

    def client(self) -> WorkspaceClient:
        return connect(self.state)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=PATIENCE)
            self.process = None

    def _connected(self) -> WorkspaceClient:
        assert self.process is not None
        process = self.process

        def connected() -> WorkspaceClient | None:
            assert process.poll() is None, (self.state.root / "server.log").read_text()
            try:
                return connect(self.state)
            except LocalWorkspaceError:
                return None

        return wait_until(connected, "the workspace's answer")


@contextmanager
def workspace_process(root: Path) -> Iterator[WorkspaceProcess]:
    served = WorkspaceProcess(root)
    try:
        yield served
    finally:
        served.stop()
