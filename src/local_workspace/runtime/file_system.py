"""`dbutils.fs` on local paths. https://docs.databricks.com/dev-tools/databricks-utils#file-system-utility"""
# ruff: noqa: N803 - the names are Databricks'.

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from local_workspace.paths import to_local
from local_workspace.runtime.utility import Utility

_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):", re.IGNORECASE)


class FileInfo(NamedTuple):
    """`size` in bytes, `modificationTime` in epoch milliseconds; the path of a folder ends with a slash."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815

    def isDir(self) -> bool:  # noqa: N802
        return self.path.endswith("/")

    def isFile(self) -> bool:  # noqa: N802
        return not self.isDir()


class FileSystem(Utility):
    """Utilities for files in volumes, in the workspace and on this machine.

    Paths start with `/Volumes`, `/Workspace` (`dbfs:` in front is fine), `file:` or a slash; for any other scheme
    NotImplementedError.
    """

    _name = "dbutils.fs"

    def __init__(self, mounts: str | None) -> None:
        self._mounts = None if mounts is None else Path(mounts)

    def ls(self, path: str) -> list[FileInfo]:
        """What a folder holds, or the file itself."""
        folder = self._local(path)
        entries = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        return [_info(entry) for entry in entries]

    def mkdirs(self, path: str) -> bool:
        """Make a folder and its parents."""
        self._local(path).mkdir(parents=True, exist_ok=True)
        return True

    def head(self, path: str, maxBytes: int = 65536) -> str:
        """The first bytes of a file as text."""
        with self._local(path).open("rb") as file:
            return file.read(maxBytes).decode(errors="replace")

    def put(self, path: str, contents: str, overwrite: bool = False) -> bool:
        """Write a text file; FileExistsError where there is one, unless `overwrite`."""
        target = self._local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(contents)
        return True

    def cp(self, source: str, destination: str, recurse: bool = False) -> bool:
        """Copy a file, or with `recurse` a folder; IsADirectoryError for a folder without it."""
        origin, target = self._local(source), self._local(destination)
        if origin.is_dir():
            _require_recurse(origin, recurse)
            shutil.copytree(origin, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, target / origin.name if target.is_dir() else target)
        return True

    def mv(self, source: str, destination: str, recurse: bool = False) -> bool:
        """Move a file, or with `recurse` a folder."""
        self.cp(source, destination, recurse)
        return self.rm(source, recurse)

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Whether there was something to remove."""
        target = self._local(path)
        if target.is_dir():
            _require_recurse(target, recurse)
            shutil.rmtree(target)
            return True
        existed = target.exists()
        target.unlink(missing_ok=True)
        return existed

    def _local(self, path: str) -> Path:
        mounted = path if self._mounts is None else to_local(path, self._mounts)
        scheme = _SCHEME.match(mounted)
        if scheme and scheme["scheme"] != "file":
            raise NotImplementedError(
                f"dbutils.fs has no {scheme['scheme']}: paths in the local workspace, got {path!r}. "
                "Give a path of a volume."
            )
        local = Path(mounted.removeprefix("file:"))
        if not local.is_absolute():
            raise ValueError(f"dbutils.fs needs an absolute path, got {path!r}.")
        return local


def _require_recurse(folder: Path, recurse: bool) -> None:
    if not recurse and any(folder.iterdir()):
        raise IsADirectoryError(f"{folder} is a folder that is not empty; pass recurse=True.")


def _info(path: Path) -> FileInfo:
    status = path.stat()
    slash = "/" if path.is_dir() else ""
    size = 0 if path.is_dir() else status.st_size
    return FileInfo(f"file:{path}{slash}", f"{path.name}{slash}", size, int(status.st_mtime * 1000))
