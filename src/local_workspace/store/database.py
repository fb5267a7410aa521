"""The one SQLite database: connection, transactions, migrations.

All state lives here. Every write goes through `transaction()`, so each change is whole or absent after a crash.
Statements take well under a millisecond, so the event loop runs them itself. A thread that has many to run keeps its
transactions small: the loop waits for them.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from local_workspace.errors import OutOfSpace

Row = sqlite3.Row
Values = Sequence[Any] | Mapping[str, Any]

FULL = "The disk of the local workspace is full, so nothing was changed. Free some space and try again."


class Database:
    """A connection in WAL mode with foreign keys on; ordered migrations are applied when it opens."""

    def __init__(self, path: Path | str) -> None:
        if path != ":memory:":
            # It holds secrets. SQLite gives its journal files the same mode.
            Path(path).touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        # synchronous=NORMAL in WAL mode: a killed process loses nothing; only a power cut can lose the last commits.
        self._connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        )
        self._lock = threading.RLock()
        self._migrate()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are committed together or not at all; nested calls join the outer one.

        Other threads wait for its end. Other coroutines of this thread would join it, so nothing is awaited inside.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield
            else:
                yield from self._outermost()

    def _outermost(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            # SQLite itself has rolled back where, for instance, the disk is full.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and _is_full(error):
                raise OutOfSpace(FULL) from error
            raise

    def execute(self, sql: str, values: Values = ()) -> sqlite3.Cursor:
        with self._lock:
            return self._connection.execute(sql, values)

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, values: Values = ()) -> Row | None:
        with self._lock:
            row: Row | None = self._connection.execute(sql, values).fetchone()
            return row

    def insert(self, table: str, values: Mapping[str, Any]) -> None:
        """Insert one row; `table` and the column names come from this package, never from a request."""
        columns = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)

    def update(self, table: str, key: str, key_value: Any, changes: Mapping[str, Any]) -> None:
        """Change the row whose column `key` has `key_value`; names come from this package."""
        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        self.execute(
            f"UPDATE {table} SET {assignments} WHERE {key} = :__key",
            {**changes, "__key": key_value},
        )

    def new_id(self) -> int:
        """The next id of one sequence for all objects, so a run id is never a task run's id too."""
        cursor = self.execute("INSERT INTO ids DEFAULT VALUES")
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _migrate(self) -> None:
        """Apply each `migrations/NNNN_*.sql` once, in order, in one transaction with its record."""
        self.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        applied = {row["name"] for row in self.all("SELECT name FROM migrations")}
        folder = resources.files("local_workspace.store") / "migrations"
        for script in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if script.name.endswith(".sql") and script.name not in applied:
                with self.transaction():
                    for statement in _statements(script.read_text()):
                        self.execute(statement)
                    self.execute("INSERT INTO migrations VALUES (?)", (script.name,))


def _is_full(error: sqlite3.Error) -> bool:
    """SQLite says an I/O error where a file that belongs to the database cannot grow."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _statements(script: str) -> Iterator[str]:
    """Split a script where SQLite itself says a statement is complete (executescript would commit)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
