"""Opening files that tasks and users have put into the mounts, which may be anything that a file system holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from local_workspace.errors import InvalidParameterValue


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; InvalidParameterValue where it is no regular file, without waiting for a FIFO's writer.

    Raises OSError where it cannot be opened.
    """
    # The check is on the open file: the path may lead to another one a moment later.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise InvalidParameterValue(f"'{path.name}' is no regular file, so it cannot be read.")


def read(path: Path) -> bytes:
    """The content of a regular file; raises as `open_regular` does."""
    with open_regular(path) as file:
        return file.read()
