"""The local workspace, or parts of it, served to real clients for the length of a test."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import uvicorn
from pyspark.sql import SparkSession
from starlette.types import ASGIApp, Receive, Scope, Send
from support.spark_sessions import spark_session

from local_workspace.api import app as api
from local_workspace.execution.engine import Engine
from local_workspace.settings import StateDir
from local_workspace.store.catalog import Catalog
from local_workspace.store.database import Database
from local_workspace.store.volumes import Volumes

CATALOG_MODULES = ("unity_catalog", "grants", "copies", "volume_files", "local")


@dataclass
class CatalogWorkspace:
    """As much of a workspace as Unity Catalog and the volumes need; `url` is known once it is served."""

    state: StateDir
    token: str = "dapi-test"
    url: str = ""
    page_sessions: None = None
    faults: Sequence[Any] = ()
    db: Database = field(init=False)
    catalog: Catalog = field(init=False)
    volumes: Volumes = field(init=False)
    engine: Engine | None = None
    engine_loop: asyncio.AbstractEventLoop | None = None

    def __post_init__(self) -> None:
        self.state.create()
        self.db = Database(self.state.database)
        self.catalog = Catalog(self.db, self.state.tables)
        self.volumes = Volumes(self.db, self.state.mounts)

    async def serve_catalogs(self) -> None:
        if self.engine is not None and self.engine_loop is not None:
            renewed = asyncio.run_coroutine_threadsafe(self.engine.renew(), self.engine_loop)
            await asyncio.wrap_future(renewed)

    @property
    def catalog_url(self) -> str:
        return f"{self.url}/api/2.1/unity-catalog"


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """The base URL of `app` while it is served from a thread."""
    # The protocol is named, because asyncio turns Nagle's algorithm off only where it is.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    # Sail keeps idle connections for 90 s; one that is closed just when it is used again fails a query.
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_keep_alive=120)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    listener.listen()
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Switchboard:
    """An application that hands every request to the one that is plugged in: one server for all tests."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None, "No application is plugged in."
        await self.app(scope, receive, send)


@contextmanager
def plugged_in(switchboard: Switchboard, root: Path) -> Iterator[CatalogWorkspace]:
    """A workspace on the state folder `root`, with the routes of Unity Catalog and the volumes."""
    workspace = CatalogWorkspace(StateDir(root), url=switchboard.url)
    with mock.patch.object(api, "API_MODULES", CATALOG_MODULES):
        switchboard.app = api.create_app(workspace)  # type: ignore[arg-type]
    yield workspace
    switchboard.app = None
    workspace.db.close()


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def running_engine(workspace: CatalogWorkspace) -> Iterator[Engine]:
    """A Spark engine on the workspace's catalog, watched from a loop of its own."""
    catalogs = workspace.catalog.catalog_names
    engine = Engine(workspace.state, workspace.catalog_url, workspace.token, catalogs)
    with event_loop() as loop:
        workspace.engine, workspace.engine_loop = engine, loop
        asyncio.run_coroutine_threadsafe(engine.start(), loop).result()
        try:
            yield engine
        finally:
            asyncio.run_coroutine_threadsafe(engine.stop(), loop).result()


@contextmanager
def sail_server(state: Path) -> Iterator[str]:
    """The sc:// URL of Sail, with the catalog of a workspace on the folder `state`."""
    board = Switchboard()
    with (
        serving(board) as board.url,
        plugged_in(board, state) as workspace,
        running_engine(workspace) as engine,
    ):
        yield engine.remote


@contextmanager
def session_on_sail(state: Path) -> Iterator[SparkSession]:
    """A Spark session there."""
    with sail_server(state) as remote, spark_session(remote) as session:
        yield session
