"""Statements on tables that Spark's engine here has not, and the local workspace executes itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_workspace.sql.cursor import Name


@dataclass(frozen=True)
class Column:
    """A column's definition; `type` is SQL text."""

    name: str
    type: str
    nullable: bool = True
    comment: str | None = None


@dataclass(frozen=True)
class ReplaceTable:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-table-using

    It has `columns` or a `query`; `creation` is the CREATE TABLE for a table that is not there yet,
    None where it has to be.
    """

    table: Name
    creation: str | None
    columns: tuple[Column, ...] = ()
    query: str | None = None
    partitioned_by: tuple[str, ...] = ()
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CreateTableAs:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-table-using; `rows` has a query."""

    rows: ReplaceTable
    if_not_exists: bool


@dataclass(frozen=True)
class AddColumns:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-alter-table-manage-column"""

    table: Name
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class CommentColumn:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-comment; None removes it."""

    table: Name
    column: str
    comment: str | None


@dataclass(frozen=True)
class DropNotNull:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-alter-table-manage-column"""

    table: Name
    column: str


@dataclass(frozen=True)
class CommentTable:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-comment; None removes it."""

    table: Name
    comment: str | None


@dataclass(frozen=True)
class SetProperties:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-tblproperties"""

    table: Name
    properties: dict[str, str]


@dataclass(frozen=True)
class UnsetProperties:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-tblproperties"""

    table: Name
    keys: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True)
class RestoreTable:
    """https://docs.databricks.com/sql/language-manual/delta-restore; `timestamp` is SQL text."""

    table: Name
    version: int | None
    timestamp: str | None


@dataclass(frozen=True)
class ShowProperties:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-show-tblproperties"""

    table: Name
    key: str | None


@dataclass(frozen=True)
class ShowCreateTable:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-show-create-table"""

    table: Name


@dataclass(frozen=True)
class ShowColumns:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-show-columns"""

    table: Name


TableChange = (
    ReplaceTable
    | CreateTableAs
    | AddColumns
    | CommentColumn
    | DropNotNull
    | CommentTable
    | SetProperties
    | UnsetProperties
)
TableCommand = TableChange | RestoreTable | ShowProperties | ShowCreateTable | ShowColumns
