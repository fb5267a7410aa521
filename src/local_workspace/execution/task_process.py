"""One running task as the workspace sees it: what it says, what it is told, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from local_workspace.runtime.requests import KILL, TERMINATE

Message = dict[str, Any]

GRACE_SECONDS = 0.5
"""Between SIGTERM and SIGKILL when a task is cancelled."""
LARGEST_MESSAGE = 128 * 1024 * 1024
"""Bytes of one line."""
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Exit:
    """How a process ended: its exit code, or the name of the signal that ended it.

    `cause` says why where it was the workspace's doing and not the task's.
    """

    code: int | None
    signal: str | None
    cause: str = ""

    def __str__(self) -> str:
        return f"signal {self.signal}" if self.signal else f"exit code {self.code}"


class OversizedMessage(Exception):
    """A task's process has sent more than the workspace takes."""


class TaskProcess:
    """A running task: what it says, what it is told, its end."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        exit: asyncio.Future[Exit],
        request: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._exit = exit
        self._request = request
        exit.add_done_callback(self._stop_reading)

    def send(self, message: Message) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def events(self) -> AsyncIterator[Message]:
        """What the process says, until it has ended."""
        while (line := await self._read_line()).endswith(b"\n"):
            if message := _message(line):
                yield message

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)

    async def end(self) -> None:
        """End the whole process tree: SIGTERM, and after a grace period SIGKILL."""
        await self._request(TERMINATE)
        await asyncio.wait([self._exit], timeout=GRACE_SECONDS)
        await self._request(KILL)
        await self.wait()

    async def close(self) -> None:
        """End the channel, after which the process can say nothing more."""
        await close(self._writer)

    async def _read_line(self) -> bytes:
        try:
            return await self._reader.readline()
        except ConnectionError:
            # It was killed before it had read all that it was told.
            return b""
        except ValueError as error:
            raise OversizedMessage(
                f"The task's process sent more than {LARGEST_MESSAGE} bytes at once."
            ) from error

    def _stop_reading(self, _: asyncio.Future[Exit]) -> None:
        # A process that left the tree may hold the channel open for ever.
        asyncio.get_running_loop().call_later(_DRAIN_SECONDS, self._reader.feed_eof)


async def close(writer: asyncio.StreamWriter) -> None:
    """End a connection whose other end may be gone already."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _message(line: bytes) -> Message | None:
    """What the runtime said; None for what the task's own code has written into its channel."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if b"\\ud" in line.lower():
        # Half of a surrogate pair can be escaped in JSON, but neither be stored nor be sent.
        message = json.loads(json.dumps(message, ensure_ascii=False).encode(errors="replace"))
    return message if isinstance(message, dict) and "event" in message else None
