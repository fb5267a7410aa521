"""Databricks SQL in the test's process, on a real Sail with the catalog of a workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from pyspark.sql import SparkSession
from serving import CatalogWorkspace, Switchboard, plugged_in, running_engine, serving
from starlette.types import Message, Receive, Scope, Send
from support.spark_sessions import SparkSessions

from local_workspace.execution.engine import Engine
from local_workspace.runtime.commands import context, execute
from local_workspace.runtime.result_set import Text, fetch


@dataclass
class Sql:
    """Runs statements; `files` is the folder of the volume `main.default.files`."""

    workspace: CatalogWorkspace
    board: FaultyBoard
    sessions: SparkSessions
    session: SparkSession
    files: Path

    def __call__(self, statement: str) -> list[list[Text]]:
        return fetch(execute.sql(self.session, statement), None).rows

    def columns(self, statement: str) -> list[tuple[str, str]]:
        columns = fetch(execute.sql(self.session, statement), None).columns
        return [(name, kind) for name, kind, _ in columns]

    def put(self, name: str, content: str | bytes) -> None:
        file = self.files / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def new_session(self) -> Sql:
        assert self.workspace.engine is not None
        return replace(self, session=_session(self.sessions, self.workspace.engine))


class FaultyBoard(Switchboard):
    """Cuts the connection of the next commit, before it is carried out or after: as a kill would."""

    def __init__(self) -> None:
        super().__init__()
        self.cuts: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_commit = scope["method"] == "POST" and scope["path"].endswith("/delta/preview/commits")
        cut = self.cuts.pop(0) if is_commit and self.cuts else ""
        if cut == "before":
            await _answer_500(send)
        elif cut == "after":
            await super().__call__(scope, receive, _ignore)
            await _answer_500(send)
        else:
            await super().__call__(scope, receive, send)


async def _ignore(_: Message) -> None:
    """The answer is lost."""


async def _answer_500(send: Send) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _session(sessions: SparkSessions, engine: Engine) -> SparkSession:
    session = sessions.create(engine.remote)
    session.conf.set("spark.sql.sources.default", "delta")
    return session


@contextmanager
def sql_on_sail(root: Path) -> Iterator[Sql]:
    """A workspace on the state folder `root`, found by its environment as in a task."""
    board = FaultyBoard()
    with (
        serving(board) as board.url,
        plugged_in(board, root) as workspace,
        running_engine(workspace) as engine,
        SparkSessions() as sessions,
        mock.patch.dict(
            os.environ, {"DATABRICKS_HOST": board.url, "DATABRICKS_TOKEN": workspace.token}
        ),
    ):
        context._client.cache_clear()
        workspace.volumes.create("main", "default", "files")
        files = workspace.volumes.resolve("/Volumes/main/default/files")
        yield Sql(workspace, board, sessions, _session(sessions, engine), files)
        context._client.cache_clear()
