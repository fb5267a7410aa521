"""The Spark engine: Spark Connect servers on the workspace's Unity Catalog."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import re
from collections.abc import Callable, Iterable

from local_workspace.errors import LocalWorkspaceError
from local_workspace.execution.background import supervise
from local_workspace.execution.sail import SailProcess, Serving
from local_workspace.settings import StateDir
from local_workspace.store.catalog import DEFAULT_CATALOG

logger = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 30
MAX_IDLE_SERVERS = 4
"""Former servers that are kept for clients which know their address, though nobody is connected."""

OPEN_ENGINE = (
    "This system cannot keep other users from the Spark engine: whoever has an account here can run code as you. "
    "See docs/security.md."
)
FIRST_PERSON = 500
"""The least user id that systems give to people."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._!$&'()+,;=:@-]*")
"""What Sail leaves as it is: it writes a table in the folder "a b" to "a%20b" beside it."""


class Engine:
    """Sail with the workspace's Unity Catalog as its catalogs.

    A server knows the catalogs that there were when it was started: for another list another server is started
    beside it, for the sessions that begin from then on. If the process of all servers ends, it is started again,
    with the same addresses.
    """

    def __init__(
        self,
        state: StateDir,
        catalog_url: str,
        token: str,
        catalogs: Callable[[], Iterable[str]] = lambda: (DEFAULT_CATALOG,),
    ) -> None:
        """`catalog_url` is the base of the Unity Catalog routes, `http://127.0.0.1:PORT/api/2.1/unity-catalog`."""
        self._state = state
        self._log = state.root / "engine.log"
        self._catalog_url = catalog_url
        self._token = token
        self._catalogs = catalogs
        self.ports: list[int] = []
        """Of the servers, the newest first."""
        self._process: SailProcess | None = None
        self._changing = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self.on_exit: Callable[[int], None] | None = None
        """Told the exit code whenever the engine ends unasked, before it is started again."""

    @property
    def port(self) -> int:
        """That of the newest server; known after `start`."""
        assert self.ports, "The engine has not been started."
        return self.ports[0]

    @property
    def remote(self) -> str:
        """The Spark Connect URL of the newest server, with the token as clients send it; known after `start`."""
        return self._remote(self.port)

    def remote_at(self, address: str) -> str | None:
        """The URL of one of the servers, by its address `127.0.0.1:PORT`; None for any other address."""
        ports = [port for port in self.ports if address == f"127.0.0.1:{port}"]
        return self._remote(ports[0]) if ports else None

    def _remote(self, port: int) -> str:
        return f"sc://127.0.0.1:{port}/;authorization=Bearer%20{self._token}"

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
        await self._launch([0])
        self._watcher = supervise("Watching the Spark engine", self._watch())

    async def renew(self) -> None:
        """Let the sessions that begin from now on see the catalogs of now; those that run go on as they are."""
        async with self._changing:
            assert self._process is not None
            served = await self._serve(self._process, 0)
            self.ports.insert(0, served.port)
            await self._stop_idle_servers(self._process)

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        if self._process is not None:
            await self._process.end()

    async def _launch(self, ports: list[int]) -> None:
        """Serve the catalogs of now at all of `ports`."""
        self._process = process = await SailProcess.start(self._log)
        try:
            served = [await self._serve(process, port) for port in ports]
        except BaseException:
            await process.end()
            raise
        self.ports = [each.port for each in served]
        if not all(each.is_closed for each in served) and has_other_users():
            logger.warning(OPEN_ENGINE)

    async def _serve(self, process: SailProcess, port: int) -> Serving:
        return await process.serve(port, self._token, self._settings())

    async def _stop_idle_servers(self, process: SailProcess) -> None:
        """The oldest, except as many as may be kept."""
        if len(self.ports) <= MAX_IDLE_SERVERS + 1:
            return
        idle = [port for port in self.ports[1:] if not process.has_clients(port)]
        for port in idle[MAX_IDLE_SERVERS:]:
            self.ports.remove(port)
            await process.stop_serving(port)

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
                async with self._changing:
                    await self._launch(self.ports)
                failures = 0
                logger.warning("The Spark engine is up again at port %d.", self.port)
            except Exception as error:
                failures += 1
                logger.error("The Spark engine could not be started again: %s", error)
                await asyncio.sleep(min(2**failures, MAX_PAUSE_SECONDS))

    def _settings(self) -> dict[str, str]:
        # The list is TOML; its strings are written as JSON's.
        tables = (
            ", ".join(
                f"{key}={json.dumps(value, ensure_ascii=False)}"
                for key, value in self._catalog(name).items()
            )
            for name in self._catalogs()
        )
        return {
            "SAIL_CATALOG__LIST": f"[{', '.join(f'{{{table}}}' for table in tables)}]",
            "SAIL_CATALOG__DEFAULT_CATALOG": DEFAULT_CATALOG,
        }

    def _catalog(self, name: str) -> dict[str, str]:
        return {
            "type": "unity",
            "name": name,
            "uri": self._catalog_url,
            "default_catalog": name,
            "token": self._token,
        }


def has_other_users() -> bool:
    """Whether people besides this one can log in to this machine."""
    return any(
        user.pw_uid >= FIRST_PERSON
        and user.pw_uid != os.getuid()
        and not user.pw_shell.endswith(("nologin", "false"))
        for user in pwd.getpwall()
    )
