"""Workspace objects: directories, files and notebooks under `/Workspace`.

The mount is the truth for what exists, its content, size and time of change; SQLite adds what a file system has no
place for: id, language, time of creation. What a task writes to the mount is thereby an object too.
https://docs.databricks.com/api/workspace/workspace
"""

from __future__ import annotations

import shutil
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
from local_workspace.paths import resolve
from local_workspace.settings import USER_NAME
from local_workspace.store import notebooks
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
        local = self.local_path(path)
        if not local.exists():
            raise ResourceDoesNotExist(f"Path ({path}) doesn't exist.")
        row = self._row(path, local)
        stat = local.stat()
        return WorkspaceObject(
            object_id=row["object_id"],
            path=path,
            object_type=row["object_type"],
            language=row["language"],
            size=0 if local.is_dir() else stat.st_size,
            created_at=row["created_at"],
            modified_at=stat.st_mtime_ns // 1_000_000,
        )

    def get_by_id(self, object_id: int) -> WorkspaceObject:
        """The object with this id; ResourceDoesNotExist where there is none."""
        row = self._db.one("SELECT path FROM workspace_objects WHERE object_id = ?", (object_id,))
        if row is None:
            raise ResourceDoesNotExist(f"The workspace has no object with the id {object_id}.")
        return self.get(row["path"])

    def list(self, path: str) -> list[WorkspaceObject]:
        """What a directory holds, by name; for a file the file itself."""
        parent = self.get(path)
        if parent.object_type != DIRECTORY:
            return [parent]
        names = sorted(entry.name for entry in self.local_path(parent.path).iterdir())
        return [self.get(f"{parent.path}/{name}") for name in names]

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
        upload = notebooks.classify(canonical(path), incoming, format, language)
        if upload.language is not None:
            _require_notebook_size(upload.path, incoming)
            incoming.write_bytes(notebooks.to_source(upload, incoming.read_bytes()))
        path, local = upload.path, self.local_path(upload.path)
        self._check_target(path, local, overwrite)
        incoming.chmod(0o644)
        with self._db.transaction():
            self._write_row(path, NOTEBOOK if upload.language else FILE, upload.language)
            incoming.replace(local)
        return self.get(path)

    def put_folder(self, path: str, folder: Path, names: Sequence[str]) -> None:
        """Make a directory of the files `names` in `folder`, whole or not at all.

        Raises ResourceAlreadyExists where `path` exists: a directory is never overwritten.
        """
        path = canonical(path)
        if self.local_path(path).exists():
            raise ResourceAlreadyExists(f"{path} already exists; a folder cannot be overwritten.")
        self.mkdirs(path)
        try:
            for name in names:
                self.mkdirs(str(PurePosixPath(path, name).parent))
                self.put(f"{path}/{name}", folder / name, overwrite=False)
        except BaseException:
            self.delete(path, recursive=True)
            raise

    def walk(self, path: str) -> Iterator[WorkspaceObject]:
        """The files and notebooks in a directory and below."""
        for found in self.list(path):
            if found.object_type == DIRECTORY:
                yield from self.walk(found.path)
            else:
                yield found

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete an object; DirectoryNotEmpty unless `recursive`, ResourceDoesNotExist if missing."""
        found = self.get(path)
        local = self.local_path(found.path)
        if found.path == ROOT:
            raise InvalidParameterValue(f"{ROOT} cannot be deleted.")
        if local.is_dir() and not recursive and any(local.iterdir()):
            raise DirectoryNotEmpty(f"Folder ({found.path}) is not empty")
        doomed = Path(tempfile.mkdtemp(dir=self._pending))
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM workspace_objects WHERE path = :path "
                "OR substr(path, 1, length(:path) + 1) = :path || '/'",
                {"path": found.path},
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
        source = self.local_path(found.path).read_text()
        return notebooks.Notebook(found.path, found.language, source)

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
            is_notebook = self._row(path, local)["object_type"] == NOTEBOOK
            error = NotebookAlreadyExists if is_notebook else ResourceAlreadyExists
            raise error(
                f"RESOURCE_ALREADY_EXISTS: {path} already exists. Set overwrite to replace it."
            )

    def _row(self, path: str, local: Path) -> Row:
        """The object's row, made now for what has come into the mount by another way."""
        object_type = DIRECTORY if local.is_dir() else FILE
        row = self._db.one("SELECT * FROM workspace_objects WHERE path = ?", (path,))
        if row is None or (row["object_type"] == DIRECTORY) != local.is_dir():
            with self._db.transaction():
                self._write_row(path, object_type, None)
            row = self._db.one("SELECT * FROM workspace_objects WHERE path = ?", (path,))
        assert row is not None
        return row

    def _write_row(self, path: str, object_type: str, language: str | None) -> None:
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
