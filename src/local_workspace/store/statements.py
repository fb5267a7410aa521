"""Statements of the Statement Execution API and their results.

The rows of an inline result are kept here, those of an external one in files, one per chunk. A result is kept for an
hour, then its statement is CLOSED; a day after its start the statement is forgotten.
https://docs.databricks.com/api/workspace/statementexecution
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_workspace.errors import ResourceDoesNotExist
from local_workspace.store import folders
from local_workspace.store.database import Database
from local_workspace.store.jobs import now

PENDING, RUNNING, CLOSED = "PENDING", "RUNNING", "CLOSED"
SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"
INLINE, EXTERNAL_LINKS = "INLINE", "EXTERNAL_LINKS"
JSON_ARRAY = "JSON_ARRAY"

ROWS_PER_CHUNK = 10_000
RESULT_KEPT_MS = 60 * 60 * 1000
STATEMENT_KEPT_MS = 24 * RESULT_KEPT_MS

Column = tuple[str, str, str]
Rows = Sequence[Sequence[str | None]]


@dataclass(frozen=True)
class Chunk:
    """A part of a result; `byte_count` is the size of its rows as JSON, or of its file."""

    chunk_index: int
    row_offset: int
    row_count: int
    byte_count: int


@dataclass(frozen=True)
class Statement:
    """`columns` are (name, type_text, type_name)."""

    statement_id: str
    format: str
    disposition: str
    state: str
    error_message: str | None
    sql_state: str | None
    columns: list[Column]
    truncated: bool
    chunks: list[Chunk]


class StatementStore:
    """What was still executing when the workspace ended has failed."""

    def __init__(self, db: Database, folder: Path) -> None:
        """`folder` has a folder with the files of each external result."""
        self._db = db
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for row in db.all(
            "SELECT statement_id FROM sql_statements WHERE state IN (?, ?)", (PENDING, RUNNING)
        ):
            self.fail(
                row["statement_id"], "The local workspace ended while the statement ran.", None
            )
        kept = db.all("SELECT statement_id FROM sql_statements WHERE state = ?", (SUCCEEDED,))
        folders.remove_all_but(folder.iterdir(), {self.files(row["statement_id"]) for row in kept})

    def create(self, format: str = JSON_ARRAY, disposition: str = INLINE) -> str:
        """The id of a new statement."""
        self._forget_old()
        values = {
            "statement_id": str(uuid.uuid4()),
            "format": format,
            "disposition": disposition,
            "state": PENDING,
            "created_at": now(),
        }
        with self._db.transaction():
            self._db.insert("sql_statements", values)
        return str(values["statement_id"])

    def start(self, statement_id: str) -> None:
        self._update(statement_id, state=RUNNING)

    def succeed(
        self, statement_id: str, columns: Sequence[Column], rows: Rows, truncated: bool
    ) -> None:
        """The end of a statement whose rows are here."""
        self._succeed(statement_id, columns, _serialised(rows), truncated)

    def succeed_with_files(
        self,
        statement_id: str,
        columns: Sequence[Column],
        sizes: Iterable[tuple[int, int]],
        truncated: bool,
    ) -> None:
        """The end of a statement whose rows are in `files`; `sizes` are (rows, bytes) of each."""
        self._succeed(statement_id, columns, ((*size, "") for size in sizes), truncated)

    def _succeed(
        self,
        statement_id: str,
        columns: Sequence[Column],
        chunks: Iterable[tuple[int, int, str]],
        truncated: bool,
    ) -> None:
        offset = 0
        with self._db.transaction():
            for index, (row_count, byte_count, rows) in enumerate(chunks):
                values = {
                    "statement_id": statement_id,
                    "chunk_index": index,
                    "row_offset": offset,
                    "row_count": row_count,
                    "byte_count": byte_count,
                    "rows": rows,
                }
                self._db.insert("sql_chunks", values)
                offset += row_count
            described = {"columns": json.dumps(columns), "truncated": truncated}
            self._update(statement_id, state=SUCCEEDED, ended_at=now(), **described)

    def fail(self, statement_id: str, message: str, sql_state: str | None) -> None:
        error = {"error_message": message, "sql_state": sql_state}
        self._update(statement_id, state=FAILED, ended_at=now(), **error)
        folders.remove(self.files(statement_id))

    def cancel(self, statement_id: str) -> None:
        self._update(statement_id, state=CANCELED, ended_at=now())
        folders.remove(self.files(statement_id))

    def get(self, statement_id: str) -> Statement:
        """ResourceDoesNotExist where there is none of this id, or no more."""
        self._forget_old()
        row = self._db.one("SELECT * FROM sql_statements WHERE statement_id = ?", (statement_id,))
        if row is None:
            raise ResourceDoesNotExist(f"The statement {statement_id} was not found.")
        chunks = self._db.all(
            "SELECT chunk_index, row_offset, row_count, byte_count FROM sql_chunks "
            "WHERE statement_id = ? ORDER BY chunk_index",
            (statement_id,),
        )
        return Statement(
            statement_id=statement_id,
            format=row["format"],
            disposition=row["disposition"],
            state=row["state"],
            error_message=row["error_message"],
            sql_state=row["sql_state"],
            columns=[(name, text, kind) for name, text, kind in json.loads(row["columns"])],
            truncated=bool(row["truncated"]),
            chunks=[Chunk(*chunk) for chunk in chunks],
        )

    def files(self, statement_id: str) -> Path:
        """The folder of an external result, which has the chunks as `0`, `1`, ..."""
        return self._folder / statement_id

    def rows(self, statement_id: str, chunk_index: int) -> list[list[str | None]]:
        """The rows of a chunk; ResourceDoesNotExist where there is none of this index."""
        row = self._db.one(
            "SELECT rows FROM sql_chunks WHERE statement_id = ? AND chunk_index = ?",
            (statement_id, chunk_index),
        )
        if row is None:
            raise ResourceDoesNotExist(
                f"The statement {statement_id} has no result chunk {chunk_index}."
            )
        rows: list[list[str | None]] = json.loads(row["rows"])
        return rows

    def _update(self, statement_id: str, **changes: object) -> None:
        with self._db.transaction():
            self._db.update("sql_statements", "statement_id", statement_id, changes)

    def _forget_old(self) -> None:
        time = now()
        with self._db.transaction():
            closed = self._db.all(
                "UPDATE sql_statements SET state = ? WHERE state = ? AND ended_at < ? "
                "RETURNING statement_id",
                (CLOSED, SUCCEEDED, time - RESULT_KEPT_MS),
            )
            self._db.execute(
                "DELETE FROM sql_chunks WHERE statement_id IN "
                "(SELECT statement_id FROM sql_statements WHERE state = ?)",
                (CLOSED,),
            )
            self._db.execute(
                "DELETE FROM sql_statements WHERE ended_at IS NOT NULL AND created_at < ?",
                (time - STATEMENT_KEPT_MS,),
            )
        for row in closed:
            folders.remove(self.files(row["statement_id"]))


def _serialised(rows: Rows) -> Iterator[tuple[int, int, str]]:
    """The chunks of inline rows: count, size in bytes and JSON."""
    for part in itertools.batched(rows, ROWS_PER_CHUNK):
        text = json.dumps(part, ensure_ascii=False, separators=(",", ":"))
        yield len(part), len(text.encode()), text
