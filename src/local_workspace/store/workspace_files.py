"""Workspace objects: directories, files and notebooks under `/Workspace`.

The mount is the truth for what exists, its content, size and time of change; SQLite adds what a file system has no
place for: id, language, time of creation. What a task writes to the mount is thereby an object too.
https://docs.databricks.com/api/workspace/workspace
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from local_workspace.errors import (
    DirectoryNotEmpty,
    InvalidParameterValue,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from local_workspace.paths import is_unicode, resolve, resolve_entry, stays_inside
from local_workspace.settings import USER_NAME
from local_workspace.store import notebooks, regular_files
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now

ROOT = "/Workspace"
HOME = f"{ROOT}/Users/{USER_NAME}"
SHARED = f"{ROOT}/Shared"

DIRECTORY, FILE, NOTEBOOK = "DIRECTORY", "FILE", "NOTEBOOK"

MAX_NOTEBOOK = 10 * 1024 * 1024
"""Databricks' limit for the content of an import or export in JSON, and for a notebook."""


class NotebookTooLarge(InvalidParameterValue):
    error_code = "MAX_NOTEBOOK_SIZE_EXCEEDED"


class NotebookAlreadyExists(InvalidParameterValue):
    """400 for notebooks where files get 409; the CLI knows it by its message."""

    error_code = "RESOURCE_ALREADY_EXISTS"


@dataclass(frozen=True)
class WorkspaceObject:
    """What the API tells about one object; times are epoch milliseconds, sizes bytes."""

    object_id: int
    path: str
    object_type: str
    language: str | None
    size: int
    created_at: int
    modified_at: int


class WorkspaceFiles:
    def __init__(self, db: Database, mounts: Path) -> None:
        self._db = db
        self._mounts = mounts
        self._pending = mounts.parent / "pending-uploads"
        shutil.rmtree(self._pending, ignore_errors=True)
        self._pending.mkdir(parents=True)
        for folder in (HOME, SHARED):
            self.mkdirs(folder)

    def mkdirs(self, path: str) -> None:
        """Make a directory and its parents; InvalidParameterValue where a file is in the way."""
        path = canonical(path)
        local = self.local_path(path)
        try:
            local.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            message = f"{path} cannot be a directory: a file of that path or of a parent exists."
            raise ResourceAlreadyExists(message) from error

    def get(self, path: str) -> WorkspaceObject:
        """The object at `path`; ResourceDoesNotExist where there is none."""
        path = canonical(path)
        status = _status(self.local_path(path))
        if status is None:
            raise ResourceDoesNotExist(f"Path ({path}) doesn't exist.")
        return self._object(path, status)

    def get_by_id(self, object_id: int) -> WorkspaceObject:
        """The object with this id; ResourceDoesNotExist where there is none."""
        row = self._db.one("SELECT path FROM workspace_objects WHERE object_id = ?", (object_id,))
        if row is None:
            raise ResourceDoesNotExist(f"The workspace has no object with the id {object_id}.")
        return self.get(row["path"])

    def list(self, path: str) -> list[WorkspaceObject]:
        """The entries of a directory, by name; for a file the file itself.

        Left out is what no path can name or read: links that lead out or nowhere, names that are no UTF-8, FIFOs.
        """
        parent = self.get(path)
        if parent.object_type != DIRECTORY:
            return [parent]
        return [
            self._object(f"{parent.path}/{entry.name}", status)
            for entry in sorted(os.scandir(self.local_path(parent.path)), key=lambda e: e.name)
            if (status := self._entry_status(entry))
        ]

    def _entry_status(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        if not is_unicode(entry.name):
            return None
        if entry.is_symlink() and not stays_inside(self._mounts / "Workspace", Path(entry.path)):
            return None
        return _status(Path(entry.path))

    @contextmanager
    def upload(self) -> Iterator[Path]:
        """A file to write an upload to; it is gone afterwards unless `put` has moved it."""
        with tempfile.NamedTemporaryFile(dir=self._pending, delete=False) as file:
            incoming = Path(file.name)
        try:
            yield incoming
        finally:
            incoming.unlink(missing_ok=True)

    @contextmanager
    def unpacking(self) -> Iterator[Path]:
        """A folder to unpack an archive in, or to pack one; it is gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self._pending) as folder:
            yield Path(folder)

    def put(
        self,
        path: str,
        incoming: Path,
        *,
        overwrite: bool,
        language: str | None = None,
        format: str = "AUTO",
    ) -> WorkspaceObject:
        """Make `incoming` the content of `path`, whole or not at all.

        `notebooks.classify` decides what it becomes. Raises ResourceDoesNotExist without the parent directory,
        ResourceAlreadyExists (a notebook: NotebookAlreadyExists) unless `overwrite`.
        """
        upload = _converted(canonical(path), incoming, format, language)
        path, local = upload.path, self.local_path(upload.path)
        self._check_target(path, local, overwrite)
        with self._db.transaction():
            self._write_row(path, NOTEBOOK if upload.language else FILE, upload.language)
            incoming.replace(local)
        return self.get(path)

    def put_folder(self, path: str, folder: Path, names: Sequence[str]) -> None:
        """Make a directory of the files `names` in `folder`, whole or not at all.

        Raises ResourceAlreadyExists where `path` exists: a directory is never overwritten.
        """
        path = canonical(path)
        local = self.local_path(path)
        self._require_free(path, local)
        found = [self._prepared(path, folder, name) for name in names]
        self.mkdirs(str(PurePosixPath(path).parent))
        # Others may use the database in between; a row without a file is no object.
        for upload in found:
            if upload.language is not None:
                self._write_row(upload.path, NOTEBOOK, upload.language)
        with self._db.transaction():
            self._require_free(path, local)
            folder.chmod(0o755)
            folder.rename(local)

    def _require_free(self, path: str, local: Path) -> None:
        if local.exists():
            raise ResourceAlreadyExists(f"{path} already exists; a folder cannot be overwritten.")

    def _prepared(self, path: str, folder: Path, name: str) -> notebooks.Upload:
        """Give a file of a folder that is put at `path` its final name and content."""
        incoming = folder / name
        upload = _converted(f"{path}/{name}", incoming, "AUTO", None)
        # Refused where it is no path of the workspace.
        self.local_path(upload.path)
        target = folder / PurePosixPath(upload.path).relative_to(path)
        if target != incoming and target.exists():
            raise NotebookAlreadyExists(_exists(upload.path))
        incoming.rename(target)
        return upload

    def walk(self, path: str) -> Iterator[WorkspaceObject]:
        """The files and notebooks in a directory and below; links to directories are not followed."""
        for found in self.list(path):
            if found.object_type == DIRECTORY:
                if not self.local_path(found.path).is_symlink():
                    yield from self.walk(found.path)
            else:
                yield found

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete an object; DirectoryNotEmpty unless `recursive`, ResourceDoesNotExist if missing."""
        path = canonical(path)
        local = resolve_entry(self._mounts, path)
        if not os.path.lexists(local):
            raise ResourceDoesNotExist(f"Path ({path}) doesn't exist.")
        if path == ROOT:
            raise InvalidParameterValue(f"{ROOT} cannot be deleted.")
        is_folder = local.is_dir() and not local.is_symlink()
        if is_folder and not recursive and any(local.iterdir()):
            raise DirectoryNotEmpty(f"Folder ({path}) is not empty")
        doomed = Path(tempfile.mkdtemp(dir=self._pending))
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM workspace_objects WHERE path = :path "
                "OR substr(path, 1, length(:path) + 1) = :path || '/'",
                {"path": path},
            )
            local.rename(doomed / local.name)
        shutil.rmtree(doomed)

    def notebook(self, path: str) -> notebooks.Notebook:
        """The notebook at `path`; ResourceDoesNotExist without one, InvalidParameterValue for a file."""
        found = self.get(path)
        if found.object_type != NOTEBOOK or found.language is None:
            raise InvalidParameterValue(
                f"{found.path} is not a notebook but a {found.object_type}."
            )
        source = regular_files.read(self.local_path(found.path)).decode()
        return notebooks.Notebook(found.path, found.language, source)

    def read_text(self, path: str) -> str:
        """The text of a file or notebook; ResourceDoesNotExist without one."""
        return regular_files.read(self.local_file(path)).decode()

    def local_file(self, path: str) -> Path:
        """The file that holds the content of a file or notebook; ResourceDoesNotExist without one."""
        found = self.get(path)
        if found.object_type == DIRECTORY:
            raise InvalidParameterValue(f"{found.path} is a directory, not a file.")
        return self.local_path(found.path)

    def local_path(self, path: str) -> Path:
        """The file that holds the content of `path`; refused if it is no path inside the workspace."""
        return resolve(self._mounts, canonical(path))

    def _check_target(self, path: str, local: Path, overwrite: bool) -> None:
        if not local.parent.is_dir():
            parent = PurePosixPath(path).parent
            raise ResourceDoesNotExist(f"The parent folder ({parent}) does not exist.")
        if local.is_dir():
            raise ResourceAlreadyExists(f"{path} already exists. It is a directory.")
        if local.exists() and not overwrite:
            is_notebook = self._row(path, local.is_dir())["object_type"] == NOTEBOOK
            error = NotebookAlreadyExists if is_notebook else ResourceAlreadyExists
            raise error(_exists(path))

    def _object(self, path: str, status: os.stat_result) -> WorkspaceObject:
        is_folder = stat.S_ISDIR(status.st_mode)
        row = self._row(path, is_folder)
        return WorkspaceObject(
            object_id=row["object_id"],
            path=path,
            object_type=row["object_type"],
            language=row["language"],
            size=0 if is_folder else status.st_size,
            created_at=row["created_at"],
            modified_at=status.st_mtime_ns // 1_000_000,
        )

    def _row(self, path: str, is_folder: bool) -> Row:
        """The object's row, made now for what has come into the mount by another way."""
        row = self._db.one("SELECT * FROM workspace_objects WHERE path = ?", (path,))
        if row is None or (row["object_type"] == DIRECTORY) != is_folder:
            self._write_row(path, DIRECTORY if is_folder else FILE, None)
            row = self._db.one("SELECT * FROM workspace_objects WHERE path = ?", (path,))
        assert row is not None
        return row

    def _write_row(self, path: str, object_type: str, language: str | None) -> None:
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO workspace_objects VALUES (:id, :path, :type, :language, :created) "
                "ON CONFLICT (path) DO UPDATE SET object_type = :type, language = :language",
                {
                    "id": self._db.new_id(),
                    "path": path,
                    "type": object_type,
                    "language": language,
                    "created": now(),
                },
            )


def _status(local: Path) -> os.stat_result | None:
    """Return the status of a regular file or a directory; None for anything else, and where there is nothing."""
    try:
        status = local.stat()
    except OSError:
        return None
    is_object = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return status if is_object else None


def _converted(path: str, incoming: Path, format: str, language: str | None) -> notebooks.Upload:
    """Decide what an uploaded file becomes at `path`, and give it that content."""
    upload = notebooks.classify(path, incoming, format, language)
    if upload.language is not None:
        _require_notebook_size(upload.path, incoming)
        incoming.write_bytes(notebooks.to_source(upload, incoming.read_bytes()))
    incoming.chmod(0o644)
    return upload


def _exists(path: str) -> str:
    return f"RESOURCE_ALREADY_EXISTS: {path} already exists. Set overwrite to replace it."


def _require_notebook_size(path: str, content: Path) -> None:
    size = content.stat().st_size
    if size > MAX_NOTEBOOK:
        raise NotebookTooLarge(f"{path} has {size} bytes; a notebook has at most {MAX_NOTEBOOK}.")


def canonical(path: str) -> str:
    """`path` with `/Workspace` in front and without doubled or trailing slashes."""
    if not path.startswith("/"):
        raise InvalidParameterValue(f"Path ({path!r}) doesn't start with '/'.")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InvalidParameterValue(f"Path ({path!r}) is not valid Unicode.") from error
    parts = [part for part in path.split("/") if part]
    if parts[:1] != ["Workspace"]:
        parts.insert(0, "Workspace")
    return "/" + "/".join(parts)
