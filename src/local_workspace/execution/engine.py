"""The Spark engine: a Spark Connect server in a process and an environment of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import StateDir

logger = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).parents[3]
SCRIPT = PROJECT_ROOT / "engines" / "sail.py"
DEFAULT_PYTHON = PROJECT_ROOT / "engines" / ".venv" / "bin" / "python"
CATALOG = "main"

START_SECONDS = 30
STOP_SECONDS = 3
MAX_PAUSE_SECONDS = 30

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._!$&'()+,;=:@-]*")
"""What Sail leaves as it is: it writes a table in the folder "a b" to "a%20b" beside it."""

_NOT_INHERITED = ("DATABRICKS_", "UNITY_", "UC_", "SAIL_CATALOG__")
"""Sail takes settings of its catalog from such variables, and they win over the catalog list.

https://docs.lakesail.com/sail/latest/guide/catalog/unity
"""


class Engine:
    """Sail with the workspace's Unity Catalog as its catalog.

    It ends with this process, however that ends, because it waits for the end of its stdin. If it
    ends before, it is started again at the same address.
    """

    def __init__(self, state: StateDir, catalog_url: str, token: str) -> None:
        """`catalog_url` is the base of the Unity Catalog routes, `http://127.0.0.1:PORT/api/2.1/unity-catalog`."""
        self._state = state
        self._log = state.root / "engine.log"
        self._catalog_url = catalog_url
        self._token = token
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.on_exit: Callable[[int], None] | None = None
        """Told the exit code whenever the engine ends unasked, before it is started again."""

    @property
    def remote(self) -> str:
        """The Spark Connect address, `sc://127.0.0.1:PORT`; known after `start`."""
        assert self._port, "The engine has not been started."
        return f"sc://127.0.0.1:{self._port}"

    @property
    def client_environment(self) -> dict[str, str]:
        """What lets an unmodified `DatabricksSession.builder.getOrCreate()` use this engine as on Databricks.

        Tables are Delta unless the statement says otherwise. Sail has no such setting of its own; pyspark applies
        the PYSPARK_REMOTE_INIT_CONF variables to each new session.
        """
        defaults = {"spark.sql.sources.default": "delta"}
        return {
            "SPARK_REMOTE": self.remote,
            "PYSPARK_REMOTE_INIT_CONF_LEN": "1",
            "PYSPARK_REMOTE_INIT_CONF_0": json.dumps(defaults, separators=(",", ":")),
        }

    @property
    def pid(self) -> int:
        assert self._process is not None, "The engine has not been started."
        return self._process.pid

    async def start(self) -> None:
        """Start the engine and wait until it answers; LocalWorkspaceError where it cannot."""
        if not _PLAIN_PATH.fullmatch(str(self._state.root)):
            raise LocalWorkspaceError(
                f"The Spark engine cannot keep tables in {self._state.root}: set LOCAL_WORKSPACE_STATE "
                "to a folder whose path has no spaces, accents or other special characters."
            )
        self._log.write_text("")
        await self._launch()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        if self._process is not None:
            await _end(self._process)

    async def _launch(self) -> None:
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(engine_python(), "-I", SCRIPT, "--port", str(self._port)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment(),
                # A Ctrl-C in the terminal is for the workspace, which stops the engine last.
                start_new_session=True,
            )
        self._process = process
        try:
            self._port = await self._read_port(process)
        except BaseException:
            await _end(process)
            raise

    async def _read_port(self, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            line = b""
        if not line:
            raise LocalWorkspaceError(
                f"The Spark engine did not start; {self._log} says why. It ends with: "
                f"{self._last_line()}"
            )
        port: int = json.loads(line)["port"]
        return port

    async def _watch(self) -> None:
        """Start the engine again whenever it ends, with longer pauses the more often that fails."""
        failures = 0
        while True:
            assert self._process is not None
            code = await self._process.wait()
            logger.warning("The Spark engine ended with exit code %d; starting it again.", code)
            if self.on_exit is not None:
                self.on_exit(code)
            try:
                await self._launch()
                failures = 0
                logger.warning("The Spark engine is up again at %s.", self.remote)
            except LocalWorkspaceError as error:
                failures += 1
                logger.error("%s", error)
                await asyncio.sleep(min(2**failures, MAX_PAUSE_SECONDS))

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(_NOT_INHERITED)
        }
        return {**inherited, **self._catalog_settings()}

    def _catalog_settings(self) -> dict[str, str]:
        values = {
            "type": "unity",
            "name": CATALOG,
            "uri": self._catalog_url,
            "default_catalog": CATALOG,
            "token": self._token,
        }
        # The list is TOML; its strings are written as JSON's.
        table = ", ".join(f"{name}={json.dumps(value)}" for name, value in values.items())
        return {"SAIL_CATALOG__LIST": f"[{{{table}}}]", "SAIL_CATALOG__DEFAULT_CATALOG": CATALOG}

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


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the engine's stdin, upon which it ends; kill it where it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
