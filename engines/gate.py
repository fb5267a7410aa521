"""A gate in front of a Spark Connect server: only connections that carry the token come through.

The server itself has no authentication. The gate reads a connection up to the headers of its first call, compares
their `authorization`, and copies bytes from then on: who has shown the token owns the connection.
https://spark.apache.org/docs/latest/spark-connect-overview.html
"""

from __future__ import annotations

import asyncio
import hmac
import random
import socket
import threading
from collections.abc import Iterator

from hpack import Decoder, Encoder, HPACKError

LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 60
"""For a connection to make its first call; nothing is held for it but its socket."""
MAX_UNKNOWN_BYTES = 64 * 1024
"""Read of a connection before it has shown the token."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 1, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20
UNAUTHENTICATED = "16"
REFUSAL = (
    "The token of the local workspace is missing or wrong. Connect with the address that is in SPARK_REMOTE of its "
    "workspace.env."
)


class Refused(Exception):
    """The connection has not shown the token; `stream` is that of its first call."""

    def __init__(self, stream: int = 1) -> None:
        super().__init__(REFUSAL)
        self.stream = stream


class SourcePort:
    """A port that only this user's processes can connect from; the server behind the gate admits no other.

    Where one socket is bound to a port of all addresses, another can only be bound to it with SO_REUSEPORT on both and
    by the same user. Each connection has an address of its own, so that none meets the remains of another.
    """

    def __init__(self) -> None:
        self._holder = _tcp_socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("0.0.0.0", 0))
        self.number: int = self._holder.getsockname()[1]

    def socket(self) -> socket.socket:
        connecting = _tcp_socket()
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        connecting.bind((f"127.{_byte()}.{_byte()}.{_byte()}", self.number))
        return connecting


class AnyPort:
    """Where the system cannot restrict who connects to the server behind the gate."""

    number = None

    def socket(self) -> socket.socket:
        return _tcp_socket()


class Gates:
    """Gates by their ports, served from a thread."""

    def __init__(self, source: SourcePort | AnyPort) -> None:
        self._source = source
        self._servers: dict[int, asyncio.Server] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def open(self, port: int, behind: int, token: str) -> int:
        """The port, of which 0 chooses a free one, that leads to the port `behind`; OSError where it is in use."""
        work = self._open(port, behind, f"Bearer {token}")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self, port: int) -> None:
        """Let nobody in any more; who is in stays."""
        self._loop.call_soon_threadsafe(self._servers.pop(port).close)

    async def _open(self, port: int, behind: int, credentials: str) -> int:
        def entrance() -> Entrance:
            return Entrance(self._source, behind, credentials.encode())

        server = await self._loop.create_server(entrance, LOOPBACK, port)
        opened: int = server.sockets[0].getsockname()[1]
        self._servers[opened] = server
        return opened


class Copying(asyncio.Protocol):
    """One end of a connection; what it receives goes to the other end, no faster than that takes it."""

    transport: asyncio.Transport
    other: Copying | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()


class Entrance(Copying):
    """A client's end, which first has to show the token."""

    def __init__(self, source: SourcePort | AnyPort, behind: int, credentials: bytes) -> None:
        self._source, self._behind = source, behind
        self._greeting: Greeting | None = Greeting(credentials)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Nothing is read before there is somebody to send it to.
        self.transport.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if self._greeting is None:
            super().data_received(data)
            return
        try:
            passed = self._greeting.read(data)
        except Refused as refused:
            self._refuse(refused)
            return
        if self._greeting.is_over:
            self._greeting = None
            self._impatience.cancel()
        if passed:
            super().data_received(passed)

    def connection_lost(self, error: Exception | None) -> None:
        self._connecting.cancel()
        super().connection_lost(error)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        connection = self._source.socket()
        try:
            await loop.sock_connect(connection, (LOOPBACK, self._behind))
            _, self.other = await loop.create_connection(Copying, sock=connection)
        except OSError:
            connection.close()
            self.transport.abort()
            return
        self.other.other = self
        self._impatience = loop.call_later(PATIENCE_SECONDS, self.transport.abort)
        self.transport.resume_reading()

    def _refuse(self, refused: Refused) -> None:
        self._impatience.cancel()
        assert self.other is not None
        # The server may have more to say, which no longer concerns this client.
        self.other.other = None
        self.other.transport.abort()
        self.other = None
        self.transport.write(refusal(refused.stream))
        self.transport.close()


class Greeting:
    """The beginning of an HTTP/2 connection, up to the headers of its first call.

    A client waits for the server's settings before it calls, so its own go to the server at once, and nothing else.
    """

    def __init__(self, credentials: bytes) -> None:
        self._credentials = credentials
        self._unread = bytearray()
        self._seen = 0
        self._began = False
        self._block = bytearray()
        """Frames of the first call's headers, and those held back with them."""
        self._headers = bytearray()
        self.is_over = False

    def read(self, data: bytes) -> bytes:
        """Return the bytes that may pass; Refused for a call without the token, and for anything that is no HTTP/2."""
        self._unread += data
        self._seen += len(data)
        if self._seen > MAX_UNKNOWN_BYTES:
            raise Refused
        passed = b"".join(self._frames())
        return passed + bytes(self._unread) if self.is_over else passed

    def _frames(self) -> Iterator[bytes]:
        if not self._began:
            if not PREFACE.startswith(self._unread[: len(PREFACE)]):
                raise Refused
            if len(self._unread) < len(PREFACE):
                return
            self._began = True
            yield self._take(len(PREFACE))
        while not self.is_over and (frame := self._next_frame()):
            yield from self._read_frame(frame)

    def _next_frame(self) -> bytes:
        """The next whole frame, empty where it has not come yet."""
        length = 9 + int.from_bytes(self._unread[:3], "big")
        return self._take(length) if len(self._unread) >= max(9, length) else b""

    def _take(self, length: int) -> bytes:
        taken = bytes(self._unread[:length])
        del self._unread[:length]
        return taken

    def _read_frame(self, frame: bytes) -> Iterator[bytes]:
        kind, flags = frame[3], frame[4]
        stream = int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF
        if kind in (SETTINGS, PING, WINDOW_UPDATE) and not self._block:
            yield frame
            return
        if kind != (CONTINUATION if self._block else HEADERS):
            raise Refused(max(1, stream))
        self._block += frame
        self._headers += _header_block(frame) if kind == HEADERS else frame[9:]
        if flags & END_HEADERS:
            self._require_token(stream)
            self.is_over = True
            yield bytes(self._block)

    def _require_token(self, stream: int) -> None:
        try:
            headers = dict(Decoder().decode(bytes(self._headers), raw=True))
        except HPACKError:
            raise Refused(stream) from None
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._credentials):
            raise Refused(stream)


def refusal(stream: int) -> bytes:
    """The frames of an answer that the token is missing; the connection ends with them."""
    headers = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", UNAUTHENTICATED),
        ("grpc-message", REFUSAL),
    ]
    answer = _frame(HEADERS, END_HEADERS | END_STREAM, stream, Encoder().encode(headers))
    # Last stream and error code: NO_ERROR.
    return answer + _frame(GOAWAY, 0, 0, stream.to_bytes(4, "big") + bytes(4))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def _header_block(frame: bytes) -> bytes:
    """A HEADERS frame's part of the header block, without padding and priority."""
    flags, payload = frame[4], frame[9:]
    if flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]] if payload else payload
    return payload[5:] if flags & PRIORITY else payload


def _tcp_socket() -> socket.socket:
    # The protocol is named, because asyncio turns Nagle's algorithm off only where it is.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setblocking(False)
    return made


def _byte() -> int:
    return random.randint(1, 254)
