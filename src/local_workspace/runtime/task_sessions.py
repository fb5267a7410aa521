"""The Spark sessions of a task: the task's process announces each, and the workspace ends them after it.

So a query ends with its task, however that ends, and the engine keeps no session of a task that has ended.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
from pyspark.sql.connect.client import DefaultChannelBuilder, SparkConnectClient
from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

CALL_SECONDS = 30
"""For a call to the engine, which may be busy with other queries."""


def announce(tell: Callable[[dict[str, str]], object]) -> None:
    """Tell of each session that this process makes, before its first call."""
    make = SparkConnectClient.__init__

    @functools.wraps(make)
    def make_and_tell(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        url = getattr(self._builder, "url", None)
        if url is not None:
            tell({"session_id": self._session_id, "user_id": self._user_id or "", "at": url.netloc})

    SparkConnectClient.__init__ = make_and_tell  # type: ignore[method-assign]


def end(remote: str, sessions: Sequence[Mapping[str, str]]) -> None:
    """Interrupt and release sessions of the engine at `remote`; where that has ended, they have too.

    An interrupt misses a query that is still planned; the release keeps it from being executed.
    """
    builder = DefaultChannelBuilder(remote)
    with contextlib.suppress(grpc.RpcError), builder.toChannel() as channel:
        engine: Any = base_pb2_grpc.SparkConnectServiceStub(channel)  # type: ignore[no-untyped-call]
        for session in sessions:
            user = base_pb2.UserContext(user_id=session["user_id"])
            interrupt = base_pb2.InterruptRequest(
                session_id=session["session_id"],
                user_context=user,
                interrupt_type=base_pb2.InterruptRequest.INTERRUPT_TYPE_ALL,
            )
            release = base_pb2.ReleaseSessionRequest(
                session_id=session["session_id"], user_context=user
            )
            engine.Interrupt(interrupt, metadata=builder.metadata(), timeout=CALL_SECONDS)
            engine.ReleaseSession(release, metadata=builder.metadata(), timeout=CALL_SECONDS)
