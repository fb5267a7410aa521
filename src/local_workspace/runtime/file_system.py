"""`dbutils.fs` on local paths. https://docs.databricks.com/dev-tools/databricks-utils#file-system-utility"""
# ruff: noqa: N803 - the names are Databricks'.

from __future__ import annotations

import re
import shutil
from pathlib import Path

from databricks.sdk.dbutils import FileInfo

_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):", re.IGNORECASE)


class FileSystem:
    """Paths are absolute or start with `file:`; for any other scheme NotImplementedError."""

    def ls(self, path: str) -> list[FileInfo]:
        folder = _local(path)
        entries = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        return [_info(entry) for entry in entries]

    def mkdirs(self, path: str) -> bool:
        _local(path).mkdir(parents=True, exist_ok=True)
        return True

    def head(self, path: str, maxBytes: int = 65536) -> str:
        with _local(path).open("rb") as file:
            return file.read(maxBytes).decode(errors="replace")

    def put(self, path: str, contents: str, overwrite: bool = False) -> bool:
        """Write a text file; FileExistsError where there is one, unless `overwrite`."""
        target = _local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(contents)
        return True

    def cp(self, source: str, destination: str, recurse: bool = False) -> bool:
        """Copy a file, or with `recurse` a folder; IsADirectoryError for a folder without it."""
        origin, target = _local(source), _local(destination)
        if origin.is_dir():
            _require_recurse(origin, recurse)
            shutil.copytree(origin, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, target / origin.name if target.is_dir() else target)
        return True

    def mv(self, source: str, destination: str, recurse: bool = False) -> bool:
        self.cp(source, destination, recurse)
        return self.rm(source, recurse)

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Whether there was something to remove."""
        target = _local(path)
        if target.is_dir():
            _require_recurse(target, recurse)
            shutil.rmtree(target)
            return True
        existed = target.exists()
        target.unlink(missing_ok=True)
        return existed


def _local(path: str) -> Path:
    scheme = _SCHEME.match(path)
    if scheme and scheme["scheme"] != "file":
        raise NotImplementedError(
            f"dbutils.fs has no {scheme['scheme']}: paths in the local workspace, got {path!r}. "
            "Pass a path of a volume as a parameter of the task."
        )
    local = Path(path.removeprefix("file:"))
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
