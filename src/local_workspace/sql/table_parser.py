"""Reads the statements of `table_commands`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from local_workspace.sql.cursor import Cursor, Name
from local_workspace.sql.errors import SqlError, unsupported
from local_workspace.sql.object_commands import ChangeObject
from local_workspace.sql.object_parser import comment_behind, owner_behind
from local_workspace.sql.table_commands import (
    AddColumns,
    Column,
    CommentColumn,
    CommentTable,
    CreateTableAs,
    DropNotNull,
    ReplaceTable,
    RestoreTable,
    SetProperties,
    ShowColumns,
    ShowCreateTable,
    ShowProperties,
    TableCommand,
    UnsetProperties,
)


@dataclass
class _Clauses:
    partitioned_by: tuple[str, ...] = ()
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


TABLE = 3
"""How many parts a table's name has at most."""
_CLAUSES = ("GENERATED", "DEFAULT", "CHECK", "MASK", "COLLATE", "REFERENCES", "FIRST", "AFTER")
_CONSTRAINTS = ("CONSTRAINT", "PRIMARY KEY", "FOREIGN KEY")
_AFTER_TYPE = ("NOT", "COMMENT", *_CLAUSES, *_CONSTRAINTS)


def require_plain_columns(cursor: Cursor) -> None:
    """SqlError for a clause behind a column's type that the engine would read and then forget."""
    depth, before = 0, ""
    for index in range(cursor.index, len(cursor.tokens)):
        word = cursor.word(index) or ""
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return
        is_name = before in ("(", ",", "<") and word not in _CONSTRAINTS
        if word in (*_CLAUSES, *_CONSTRAINTS) and not is_name:
            raise unsupported(f"{word} of a column", "leave it out")
        before = word


def create_table_as(cursor: Cursor, *, if_not_exists: bool) -> CreateTableAs | None:
    """From the table's name on; None for a statement without a query, or not of a managed Delta table."""
    start = cursor.index
    try:
        rows = _replacement(cursor, must_exist=True)
    except SqlError:
        rows = None
    if (
        rows is None
        or rows.query is None
        or any(key.startswith("delta.") for key in rows.properties)
    ):
        cursor.index = start
        return None
    return CreateTableAs(rows, if_not_exists)


def _create_or_replace(cursor: Cursor) -> ReplaceTable:
    return _replacement(cursor, must_exist=False)


def _replace(cursor: Cursor) -> ReplaceTable:
    return _replacement(cursor, must_exist=True)


def _replacement(cursor: Cursor, *, must_exist: bool) -> ReplaceTable:
    start = cursor.index
    table = cursor.name(TABLE)
    require_plain_columns(cursor)
    columns = _columns(cursor) if cursor.holds("(") else ()
    clauses = _clauses(cursor)
    query = _query(cursor)
    if not columns and query is None:
        raise unsupported("CREATE OR REPLACE TABLE without columns", "give it columns or a query")
    if columns and query is not None:
        raise unsupported("columns beside a query", "leave them out")
    creation = f"CREATE TABLE {cursor.text(start, len(cursor.tokens))}"
    return ReplaceTable(table, None if must_exist else creation, columns, query, **vars(clauses))


def _clauses(cursor: Cursor) -> _Clauses:
    """What stands between the columns and the query."""
    found = _Clauses()
    while cursor.token is not None and not cursor.holds("AS") and not cursor.holds_query():
        if cursor.accept("PARTITIONED BY"):
            found.partitioned_by = _names(cursor)
        elif cursor.accept("COMMENT"):
            found.comment = cursor.string()
        elif cursor.accept("TBLPROPERTIES"):
            found.properties = cursor.options()
        elif not cursor.accept("USING", "DELTA"):
            clause = cursor.text(cursor.index, cursor.index + 1)
            raise unsupported(f"CREATE OR REPLACE TABLE with {clause}", "leave it out")
    return found


def _query(cursor: Cursor) -> str | None:
    cursor.accept("AS")
    if cursor.token is None:
        return None
    if not cursor.holds_query():
        raise cursor.error()
    query = cursor.text(cursor.index, len(cursor.tokens))
    cursor.index = len(cursor.tokens)
    return query


def _names(cursor: Cursor) -> tuple[str, ...]:
    cursor.expect("(")
    found = [cursor.part()]
    while cursor.accept(","):
        found.append(cursor.part())
    cursor.expect(")")
    return tuple(found)


def _columns(cursor: Cursor) -> tuple[Column, ...]:
    """`(name TYPE [NOT NULL] [COMMENT '...'], ...)`."""
    cursor.expect("(")
    found = [_column(cursor)]
    while cursor.accept(","):
        found.append(_column(cursor))
    cursor.expect(")")
    return tuple(found)


def _column(cursor: Cursor) -> Column:
    name, kind = cursor.part(), _type(cursor)
    nullable = not cursor.accept("NOT", "NULL")
    comment = cursor.string() if cursor.accept("COMMENT") else None
    if word := cursor.accept_any(*_CLAUSES, *_CONSTRAINTS):
        raise unsupported(f"{word} of a column", "leave it out")
    return Column(name, kind, nullable, comment)


def _type(cursor: Cursor) -> str:
    start, depth = cursor.index, 0
    while cursor.token is not None:
        text = cursor.token.text
        ends = text in (",", ")") or cursor.word(cursor.index) in _AFTER_TYPE
        if depth == 0 and ends and cursor.index > start:
            break
        depth += text.count("<") + text.count("(") - text.count(">") - text.count(")")
        cursor.index += 1
    if start == cursor.index:
        raise cursor.error()
    return cursor.text(start, cursor.index)


def _alter_table(cursor: Cursor) -> TableCommand | ChangeObject:
    table = cursor.name(TABLE)
    if cursor.accept("ADD", "COLUMNS") or cursor.accept("ADD", "COLUMN"):
        return AddColumns(table, _columns(cursor) if cursor.holds("(") else _bare_columns(cursor))
    if cursor.accept("SET", "TBLPROPERTIES"):
        return SetProperties(table, cursor.options())
    if cursor.accept("UNSET", "TBLPROPERTIES"):
        if_exists = cursor.accept("IF", "EXISTS")
        return UnsetProperties(table, tuple(cursor.keys()), if_exists)
    if cursor.accept("ALTER") or cursor.accept("CHANGE"):
        cursor.accept("COLUMN")
        return _alter_column(cursor, table)
    if (owner := owner_behind(cursor)) is not None:
        return ChangeObject("tables", table, {"owner": owner})
    what = cursor.head(2) or cursor.text(cursor.index, cursor.index + 1)
    raise unsupported(f"ALTER TABLE ... {what}".rstrip(), "make a new table with CREATE TABLE AS")


def _bare_columns(cursor: Cursor) -> tuple[Column, ...]:
    found = [_column(cursor)]
    while cursor.accept(","):
        found.append(_column(cursor))
    return tuple(found)


def _alter_column(cursor: Cursor, table: Name) -> TableCommand:
    column = cursor.part()
    if cursor.holds("."):
        raise unsupported("ALTER COLUMN of a field", "alter a column of the table")
    if cursor.accept("COMMENT"):
        return CommentColumn(table, column, cursor.string())
    if cursor.accept("DROP", "NOT", "NULL"):
        return DropNotNull(table, column)
    what = f"ALTER COLUMN ... {cursor.head(2)}".rstrip()
    raise unsupported(what, "make a new table with CREATE TABLE AS")


def _comment_on_table(cursor: Cursor) -> CommentTable:
    table = cursor.name(TABLE)
    return CommentTable(table, comment_behind(cursor))


def _comment_on_column(cursor: Cursor) -> CommentColumn:
    name = cursor.name(TABLE + 1)
    if len(name) == 1:
        raise cursor.error()
    return CommentColumn(name[:-1], name[-1], comment_behind(cursor))


def _restore(cursor: Cursor) -> RestoreTable:
    cursor.accept("TABLE")
    table = cursor.name(TABLE)
    cursor.accept("TO")
    if cursor.accept("VERSION", "AS", "OF"):
        return RestoreTable(table, cursor.integer(), None)
    cursor.expect("TIMESTAMP", "AS", "OF")
    timestamp = cursor.text(cursor.index, len(cursor.tokens))
    cursor.index = len(cursor.tokens)
    return RestoreTable(table, None, timestamp)


def _show_properties(cursor: Cursor) -> ShowProperties:
    table = cursor.name(TABLE)
    keys = cursor.keys() if cursor.holds("(") else [None]
    return ShowProperties(table, keys[0])


def _show_create_table(cursor: Cursor) -> ShowCreateTable:
    return ShowCreateTable(cursor.name(TABLE))


def _show_columns(cursor: Cursor) -> ShowColumns:
    if not cursor.accept_any("IN", "FROM"):
        raise cursor.error()
    table = cursor.name(TABLE)
    if cursor.accept_any("IN", "FROM"):
        table = (*cursor.name(TABLE - 1), table[-1])
    return ShowColumns(table)


PARSERS: dict[str, Callable[[Cursor], TableCommand | ChangeObject]] = {
    "CREATE OR REPLACE TABLE": _create_or_replace,
    "REPLACE TABLE": _replace,
    "ALTER TABLE": _alter_table,
    "COMMENT ON TABLE": _comment_on_table,
    "COMMENT ON COLUMN": _comment_on_column,
    "RESTORE": _restore,
    "SHOW TBLPROPERTIES": _show_properties,
    "SHOW CREATE TABLE": _show_create_table,
    "SHOW COLUMNS": _show_columns,
}
