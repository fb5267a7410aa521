"""The statements that Databricks SQL has, Spark's engine here has not, and the local workspace executes itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from local_workspace.sql.copy_into import CopyInto
from local_workspace.sql.cursor import Name
from local_workspace.sql.object_commands import ObjectCommand
from local_workspace.sql.table_commands import TableCommand


@dataclass(frozen=True)
class DescribeHistory:
    """https://docs.databricks.com/sql/language-manual/delta-describe-history"""

    table: Name
    limit: int | None


@dataclass(frozen=True)
class DescribeDetail:
    """https://docs.databricks.com/sql/language-manual/delta-describe-table"""

    table: Name


@dataclass(frozen=True)
class ShowVolumes:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-show-volumes"""

    schema: Name | None
    pattern: str | None


@dataclass(frozen=True)
class ShowSchemas:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-show-schemas"""

    catalog: Name | None
    pattern: str | None


@dataclass(frozen=True)
class CreateEmptyTable:
    """A table without columns, which the first COPY INTO with mergeSchema gives it.

    https://docs.databricks.com/ingestion/cloud-object-storage/copy-into
    """

    table: Name
    if_not_exists: bool
    comment: str | None


@dataclass(frozen=True)
class ListFiles:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-list"""

    path: str
    limit: int | None


@dataclass(frozen=True)
class CreateVolume:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-volume"""

    volume: Name
    if_not_exists: bool
    comment: str | None


@dataclass(frozen=True)
class DropVolume:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-drop-volume"""

    volume: Name
    if_exists: bool


@dataclass(frozen=True)
class CreateCatalog:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-catalog"""

    catalog: Name
    if_not_exists: bool
    comment: str | None


@dataclass(frozen=True)
class DropCatalog:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-drop-catalog"""

    catalog: Name
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class ShowCatalogs:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-show-catalogs"""

    pattern: str | None


@dataclass(frozen=True)
class CreateSchema:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-schema"""

    schema: Name
    if_not_exists: bool
    comment: str | None
    properties: dict[str, str]


@dataclass(frozen=True)
class DropSchema:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-drop-schema"""

    schema: Name
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class Use:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-usedb"""

    kind: Literal["CATALOG", "SCHEMA"]
    name: Name


Command = (
    CopyInto
    | DescribeHistory
    | DescribeDetail
    | ShowVolumes
    | ShowCatalogs
    | ShowSchemas
    | CreateEmptyTable
    | ListFiles
    | CreateVolume
    | DropVolume
    | CreateCatalog
    | DropCatalog
    | CreateSchema
    | DropSchema
    | Use
    | TableCommand
    | ObjectCommand
)
