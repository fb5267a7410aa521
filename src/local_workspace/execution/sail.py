"""The process of Sail's servers, in an environment of its own; `engines/sail.py` is what runs in it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from local_workspace.errors import LocalWorkspaceError

PROJECT_ROOT = Path(__file__).parents[3]
SCRIPT = PROJECT_ROOT / "engines" / "sail.py"
DEFAULT_PYTHON = PROJECT_ROOT / "engines" / ".venv" / "bin" / "python"

START_SECONDS = 120
"""Long enough for a machine that does much else: one that fails says so at once."""
STOP_SECONDS = 3

_NOT_INHERITED = ("DATABRICKS_", "UNITY_", "UC_", "SAIL_CATALOG__")
"""Sail takes settings of its catalog from such variables, and they win over the catalog list.

https://docs.lakesail.com/sail/latest/guide/catalog/unity
"""


@dataclass(frozen=True)
class Serving:
    """A server's port; `is_closed` says that other users of the machine cannot go round its gate."""

    port: int
    is_closed: bool


class SailProcess:
    """It ends with this process, however that ends, because it waits for the end of its stdin."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, log: Path) -> SailProcess:
        """A process without servers, which appends what it has to say to `log`."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(engine_python(), "-I", SCRIPT),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                env=_environment(),
                # A Ctrl-C in the terminal is for the workspace, which stops the engine last.
                start_new_session=True,
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def serve(self, port: int, token: str, settings: Mapping[str, str]) -> Serving:
        """Start a server for clients that know the token; port 0 for any; LocalWorkspaceError where it cannot."""
        answer = await self._ask({"port": port, "token": token, "environment": dict(settings)})
        return Serving(answer["port"], answer["is_closed"])

    async def stop_serving(self, port: int) -> None:
        """Ends a server and its sessions."""
        await self._ask({"stop": port})

    def has_clients(self, port: int) -> bool:
        """Whether anyone is connected with that server."""
        connections = psutil.Process(self.pid).net_connections("tcp")
        return any(
            each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
            for each in connections
        )

    async def wait(self) -> int:
        """The exit code."""
        return await self._process.wait()

    async def end(self) -> None:
        """Close its stdin, upon which it ends; kill it where it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self.wait()

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            await self._process.stdin.drain()
            line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
        except (TimeoutError, ConnectionError):
            line = b""
        answer = json.loads(line) if line else {"error": self._last_line()}
        if "error" in answer:
            raise LocalWorkspaceError(
                f"The Spark engine did not start; {self._log} says why. It ends with: "
                f"{answer['error']}"
            )
        return dict(answer)

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "(nothing)")


def engine_python() -> Path:
    """`$LOCAL_WORKSPACE_ENGINE_PYTHON`, else that of the project's environment for engines."""
    python = Path(os.environ.get("LOCAL_WORKSPACE_ENGINE_PYTHON", DEFAULT_PYTHON))
    if not python.exists():
        raise LocalWorkspaceError(
            f"The Spark engine's Python, {python}, is missing; run `make setup`."
        )
    return python


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_NOT_INHERITED)
    }
