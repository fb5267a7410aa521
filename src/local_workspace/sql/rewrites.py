"""Statements that the Spark engine has in another form."""

from __future__ import annotations

from local_workspace.sql.cursor import Cursor
from local_workspace.sql.group_by_all import without_group_by_all

_DESCRIBED = (
    "FUNCTION",
    "CATALOG",
    "DATABASE",
    "SCHEMA",
    "NAMESPACE",
    "TABLE",
    "EXTENDED",
    "QUERY",
    "SELECT",
    "WITH",
    "VALUES",
    "FROM",
)
"""What the engine knows behind DESCRIBE; anything else is a table's name."""


def for_engine(statement: str) -> str:
    """The statement as the engine understands it; as it is where it needs no change."""
    cursor = Cursor(statement)
    if cursor.accept_any("DESCRIBE", "DESC"):
        return _describe(cursor)
    if cursor.accept("TRUNCATE", "TABLE"):
        # https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-truncate-table
        return f"DELETE FROM {cursor.text(2, len(cursor.tokens))}"
    return without_group_by_all(statement)


def _describe(cursor: Cursor) -> str:
    is_extended = cursor.accept("FORMATTED")
    start = cursor.index
    if cursor.token is None or (cursor.accept_any(*_DESCRIBED) and cursor.token is not None):
        return cursor.statement
    table = cursor.text(start, len(cursor.tokens))
    return f"DESCRIBE TABLE {'EXTENDED ' if is_extended else ''}{table}"
