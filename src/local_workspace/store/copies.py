"""COPY INTO's ledger: each file is loaded into a table once.

A copy is announced with its files before Spark writes, and its commit carries the copy's marker. The
files count as loaded in the transaction that ratifies that commit, so a killed process leaves either
both or neither, and of two copies of one file the second is not ratified.
https://docs.databricks.com/sql/language-manual/delta-copy-into
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from local_workspace.errors import InvalidState, ResourceDoesNotExist
from local_workspace.store.database import Database

_MARKER = "local-workspace:copy-into:"


@dataclass(frozen=True)
class Copy:
    """`version` and `row_count` are known once its commit is ratified."""

    copy_id: str
    table_id: str
    paths: list[str]
    forced: bool
    version: int | None = None
    row_count: int | None = None


def marker(copy_id: str) -> str:
    """The `userMetadata` of the commit that belongs to a copy."""
    return _MARKER + copy_id


def marked_copy(user_metadata: str | None) -> str | None:
    """The id of the copy that a commit with this `userMetadata` belongs to, if it is one's."""
    if user_metadata is None or not user_metadata.startswith(_MARKER):
        return None
    return user_metadata.removeprefix(_MARKER)


class Copies:
    def __init__(self, db: Database) -> None:
        self._db = db
        # No process that announced one lives on when a workspace starts.
        with db.transaction():
            db.execute("DELETE FROM copies WHERE version IS NULL")

    def not_loaded(self, table_id: str, paths: Sequence[str]) -> list[str]:
        """Those of `paths` that the table has not loaded yet."""
        rows = self._db.all(
            "SELECT value FROM json_each(?) WHERE value NOT IN"
            " (SELECT path FROM copied_files WHERE table_id = ?) ORDER BY key",
            (json.dumps(list(paths)), table_id),
        )
        return [row["value"] for row in rows]

    def announce(self, table_id: str, paths: Sequence[str], *, forced: bool) -> Copy:
        """The copy of those of `paths` that are to be loaded: all where `forced`, else the new ones."""
        with self._db.transaction():
            self._require_table(table_id)
            chosen = list(paths) if forced else self.not_loaded(table_id, paths)
            copy = Copy(str(uuid.uuid4()), table_id, chosen, forced)
            self._db.insert("copies", {**vars(copy), "paths": json.dumps(chosen)})
        return copy

    def get(self, copy_id: str) -> Copy:
        row = self._db.one("SELECT * FROM copies WHERE copy_id = ?", (copy_id,))
        if row is None:
            raise ResourceDoesNotExist(f"COPY INTO '{copy_id}' does not exist.")
        values = {**dict(row), "paths": json.loads(row["paths"]), "forced": bool(row["forced"])}
        return Copy(**values)

    def withdraw(self, copy_id: str) -> None:
        """Forget a copy unless it is committed: a commit that comes later is refused."""
        with self._db.transaction():
            self._db.execute("DELETE FROM copies WHERE copy_id = ? AND version IS NULL", (copy_id,))

    def finish(self, copy_id: str) -> Copy:
        """The copy once Spark has written: without rows it commits nothing, and the files are loaded."""
        with self._db.transaction():
            rows = self._db.all(
                "UPDATE copies SET row_count = 0, version ="
                " (SELECT latest_version FROM tables WHERE table_id = copies.table_id)"
                " WHERE copy_id = ? AND version IS NULL RETURNING table_id, paths",
                (copy_id,),
            )
            for row in rows:
                self._note_loaded(row["table_id"], row["paths"])
        return self.get(copy_id)

    def ratify(self, copy_id: str, table_id: str, version: int, row_count: int | None) -> None:
        """Note the copy's files as loaded, in the transaction that ratifies its commit.

        InvalidState where the commit must not be: the copy is unknown, done already, or one of its
        files was loaded meanwhile.
        """
        rows = self._db.all(
            "UPDATE copies SET version = ?, row_count = ?"
            " WHERE copy_id = ? AND table_id = ? AND version IS NULL RETURNING paths, forced",
            (version, row_count, copy_id, table_id),
        )
        if not rows:
            raise InvalidState(f"COPY INTO '{copy_id}' is not under way for table '{table_id}'.")
        paths = rows[0]["paths"]
        if not rows[0]["forced"] and self._is_any_loaded(table_id, paths):
            raise InvalidState(
                f"Files of COPY INTO '{copy_id}' were committed by a concurrent COPY INTO."
            )
        self._note_loaded(table_id, paths)

    def _is_any_loaded(self, table_id: str, paths: str) -> bool:
        wanted = json.loads(paths)
        return len(self.not_loaded(table_id, wanted)) < len(wanted)

    def _note_loaded(self, table_id: str, paths: str) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO copied_files SELECT ?, value FROM json_each(?)",
            (table_id, paths),
        )

    def _require_table(self, table_id: str) -> None:
        if not self._db.one("SELECT 1 FROM tables WHERE table_id = ?", (table_id,)):
            raise ResourceDoesNotExist(f"Table with id '{table_id}' does not exist.")
