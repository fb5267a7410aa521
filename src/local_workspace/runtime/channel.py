"""The line of JSON objects between a task's process and the workspace."""

from __future__ import annotations

import json
import os
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
        self._pid = os.getpid()

    def receive(self) -> Message | None:
        """The next message; None when the workspace has closed the channel."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def send(self, event: str, **values: Any) -> None:
        if os.getpid() != self._pid:
            # The task's code has forked: only the process that was started for the task speaks for it.
            return
        line = json.dumps({"event": event, **values}).encode() + b"\n"
        with self._lock:
            self._connection.sendall(line)
