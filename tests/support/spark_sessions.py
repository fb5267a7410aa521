"""Spark sessions that end before their engine does, and are never pyspark's current one.

pyspark's functions ask the current session for settings. Where the engine of that session is gone, each call tries
to reach it for minutes, in whichever test comes next.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from databricks.connect import DatabricksSession
from pyspark.sql import SparkSession
from pyspark.sql.connect.session import SparkSession as ConnectSession


class SparkSessions:
    """Makes sessions, and stops them at the end of its block."""

    def __init__(self) -> None:
        self._made: list[SparkSession] = []

    def create(self, remote: str | None = None) -> SparkSession:
        """A session of the server at `remote`, or of the one that the environment names."""
        builder = DatabricksSession.builder
        session = (builder.remote(remote) if remote else builder).create()
        self._made.append(session)
        forget_current_session()
        return session

    def __len__(self) -> int:
        return len(self._made)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for session in self._made:
            stop(session)


@contextmanager
def spark_session(remote: str | None = None) -> Iterator[SparkSession]:
    with SparkSessions() as sessions:
        yield sessions.create(remote)


def stop(session: SparkSession) -> None:
    """Release it, where its engine still runs, and make pyspark forget it."""
    client: Any = session.client
    # Nobody waits for an engine that was killed; pyspark only warns of that.
    client.set_retry_policies([])
    with warnings.catch_warnings(action="ignore"):
        session.stop()


@contextmanager
def current(session: SparkSession) -> Iterator[None]:
    """Let pyspark's functions ask this session inside of the block; UDFs need one."""
    ConnectSession._active_session.session = session
    yield
    forget_current_session()


def current_session() -> SparkSession | None:
    """The session that pyspark's functions ask."""
    session: SparkSession | None = (
        getattr(ConnectSession._active_session, "session", None) or ConnectSession._default_session
    )
    return session


def forget_current_session() -> None:
    ConnectSession._default_session = None
    ConnectSession._active_session.session = None
