"""Where a local workspace keeps its state and how it is reached."""

from __future__ import annotations

import os
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8765
USER_NAME = "local@localhost"
USER_ID = "1"
WORKSPACE_ID = 1
CLIENT_RATE_LIMIT = 1000
"""Requests per second. The CLI's own limit of 15 spares a shared workspace; an import of 500 files takes 33 s by it."""


@dataclass(frozen=True)
class StateDir:
    """The folder that holds all state of one workspace; deleting it forgets the workspace."""

    root: Path

    @classmethod
    def default(cls) -> StateDir:
        """`$LOCAL_WORKSPACE_STATE`, else `.local` in the current folder."""
        return cls(Path(os.environ.get("LOCAL_WORKSPACE_STATE", ".local")).absolute())

    @property
    def database(self) -> Path:
        return self.root / "workspace.db"

    @property
    def env_file(self) -> Path:
        return self.root / "workspace.env"

    @property
    def lock_file(self) -> Path:
        return self.root / "workspace.lock"

    @property
    def mounts(self) -> Path:
        """What Databricks mounts at `/`: holds `Workspace/` and `Volumes/`."""
        return self.root / "mounts"

    @property
    def tables(self) -> Path:
        """Storage of managed tables, one folder per table id."""
        return self.root / "tables"

    @property
    def task_logs(self) -> Path:
        return self.root / "task-logs"

    @property
    def results(self) -> Path:
        """Results of SQL statements that are fetched by link, one folder per statement."""
        return self.root / "sql-results"

    @property
    def libraries(self) -> Path:
        """Installed libraries, one folder per set."""
        return self.root / "libraries"

    def owned(self) -> list[Path]:
        """Everything here that belongs to the workspace; others may keep files beside it."""
        return [
            *self.root.glob("workspace.*"),
            self.mounts,
            self.tables,
            self.task_logs,
            self.results,
            self.libraries,
        ]

    def create(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.mounts, self.tables, self.task_logs, self.results, self.libraries):
            folder.mkdir(exist_ok=True)


def read_env_file(path: Path) -> dict[str, str]:
    """The names and values of an env file, quoted as a shell reads them; empty where there is none."""
    if not path.exists():
        return {}
    return dict(word.split("=", 1) for word in shlex.split(path.read_text()))


def write_env_file(path: Path, values: dict[str, str]) -> None:
    """Replace an env file at once, readable by its owner only."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    temporary.replace(path)


def load_or_make_token(env_file: Path) -> str:
    """The workspace's token: made at first start, then kept."""
    return read_env_file(env_file).get("DATABRICKS_TOKEN") or f"dapi{secrets.token_hex(16)}"
