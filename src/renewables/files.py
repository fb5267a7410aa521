"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """A path in `folder` to write to and then rename; what is still there at the end is removed.

    A killed process may leave it; its name ends in `.part` and begins with a dot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{uuid4().hex}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write or replace a file: a reader sees the old content or the new one."""
    with temporary_file(path.parent) as temporary:
        temporary.write_bytes(content)
        os.replace(temporary, path)
