"""The line of JSON objects between a task's process and the workspace."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

Message = dict[str, Any]


class Channel:
    """The task's end: reads what it is told, says what happens. Any thread may send."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._lock = threading.Lock()

    def receive(self) -> Message | None:
        """The next message; None when the workspace has closed the channel."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def send(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event, **values}).encode() + b"\n"
        with self._lock:
            self._connection.sendall(line)
