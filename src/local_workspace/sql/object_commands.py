"""Statements on objects of Unity Catalog that Spark's engine here has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from local_workspace.sql.cursor import Name

Kind = Literal["catalogs", "schemas", "tables", "volumes"]
"""As the routes of Unity Catalog name them."""


@dataclass(frozen=True)
class ChangeObject:
    """`changes` has a comment (an empty one for NULL) or an owner.

    https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-comment and
    https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-alter-schema (OWNER TO)
    """

    kind: Kind
    name: Name
    changes: dict[str, str]


@dataclass(frozen=True)
class DescribeVolume:
    """https://docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-describe-volume"""

    volume: Name


ObjectCommand = ChangeObject | DescribeVolume
