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
        self._lost = 0
        self._reason = ""
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
        if self._lost and not self._append(self._notice()):
            # The last bytes make room for it where there is no other.
            self._size = max(0, self._size - len(self._notice()))
            self._append(self._notice())
        self.close()

    def close(self) -> None:
        os.close(self.pipe)
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        """Drop what the file cannot take, which is no reason to end the task."""
        if self._size + len(data) > LIMIT:
            self._cut()
        if self._append(self._notice() + data):
            self._lost = 0
        else:
            self._lost += len(data)

    def _notice(self) -> bytes:
        if not self._lost:
            return b""
        return f"\n[{self._lost} bytes of output were lost: {self._reason}]\n".encode()

    def _append(self, data: bytes) -> bool:
        """Whether all of it is in the file now; else nothing of it is."""
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
        except OSError as error:
            self._reason = error.strerror or str(error)
            if written:
                os.ftruncate(self._file, self._size)
            return False
        self._size += len(data)
        return True

    def _cut(self) -> None:
        end = os.pread(self._file, KEPT, self._size - KEPT)
        os.pwrite(self._file, end, 0)
        os.ftruncate(self._file, len(end))
        self._size = len(end)
