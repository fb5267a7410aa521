"""A task's output on its way from a pipe into its log, which keeps the end of it."""

from __future__ import annotations

import os

CHUNK = 256 * 1024
KEPT = 6 * 1024 * 1024
"""More than the 5 MB that Databricks keeps, so that a reader sees that something was left out."""
LIMIT = 16 * 1024 * 1024
"""A log that has grown so far is cut down to its end."""


class TaskLog:
    """All that is written into `pipe_end`, by the task and by whatever it starts, arrives in one file."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._size = os.lseek(file, 0, os.SEEK_END)
        self.pipe, self.pipe_end = os.pipe()
        os.set_blocking(self.pipe, False)

    def copy(self) -> bool:
        """Whether there was something to copy."""
        try:
            data = os.read(self.pipe, CHUNK)
        except BlockingIOError:
            return False
        self._write(data)
        return bool(data)

    def finish(self) -> None:
        """Copy the rest; what is written from now on is lost."""
        while self.copy():
            pass
        self.close()

    def close(self) -> None:
        os.close(self.pipe)
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        if self._size + len(data) > LIMIT:
            self._cut()
        self._size += len(data)
        while data:
            data = data[os.pwrite(self._file, data, self._size - len(data)) :]

    def _cut(self) -> None:
        end = os.pread(self._file, KEPT, self._size - KEPT)
        os.pwrite(self._file, end, 0)
        os.ftruncate(self._file, len(end))
        self._size = len(end)
