"""Restricts from which port a listening socket of this process can be reached, by a filter in the kernel.

https://docs.kernel.org/networking/filter.html
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator

SO_ATTACH_FILTER, SO_LOCK_FILTER = 26, 44
LOAD_HALF_WORD, JUMP_IF_EQUAL, RETURN = 0x28, 0x15, 0x06

IS_SUPPORTED = sys.platform == "linux"


def admit_only(source_port: int, port: int) -> None:
    """Drop all packets to the listening `port` that come from another port, and end what came before.

    Connections inherit the filter when they are accepted, and it cannot be taken off again.
    """
    for listener in _sockets(port):
        if not _peer_port(listener):
            _attach(listener, source_port)
    for connection in _sockets(port):
        if _peer_port(connection) not in (None, source_port):
            connection.shutdown(socket.SHUT_RDWR)


def _attach(listener: socket.socket, source_port: int) -> None:
    instructions = [
        # A TCP header begins with the source port.
        (LOAD_HALF_WORD, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 1, source_port),
        (RETURN, 0, 0, 0xFFFFFFFF),
        (RETURN, 0, 0, 0),
    ]
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(program, len(program))
    filter = struct.pack("HP", len(instructions), ctypes.addressof(buffer))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter)
    listener.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)


def _sockets(port: int) -> Iterator[socket.socket]:
    """The TCP sockets of this process whose own port is that; they stay its own."""
    for name in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=int(name))
        except OSError:
            # No socket, or gone meanwhile.
            continue
        try:
            if found.family == socket.AF_INET and found.getsockname()[1] == port:
                yield found
        except OSError:
            continue
        finally:
            found.detach()


def _peer_port(found: socket.socket) -> int | None:
    try:
        peer: tuple[str, int] = found.getpeername()
    except OSError:
        return None
    return peer[1]
