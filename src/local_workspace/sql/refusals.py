"""Statements that Databricks SQL has and neither the Spark engine nor the local workspace: refused by name."""

from __future__ import annotations

from local_workspace.sql.cursor import Cursor
from local_workspace.sql.errors import unsupported

_REMEDIES = {
    "OPTIMIZE": "leave it out: it does not change a table's rows",
    "VACUUM": "leave it out: it does not change a table's rows",
    "ANALYZE TABLE": "leave it out: it does not change a table's rows",
    "REFRESH TABLE": "leave it out: every statement reads the latest version",
    "CACHE TABLE": "leave it out: it does not change a table's rows",
    "MSCK REPAIR": "leave it out: Delta tables know their files",
    "CREATE VIEW": "use CREATE TEMPORARY VIEW",
    "CREATE OR REPLACE VIEW": "use CREATE OR REPLACE TEMPORARY VIEW",
    "CREATE MATERIALIZED VIEW": "use CREATE TABLE AS",
    "CREATE STREAMING TABLE": "use COPY INTO",
    "CREATE OR REFRESH": "use COPY INTO",
    "GRANT": "use the Grants API or the CLI's grants update",
    "REVOKE": "use the Grants API or the CLI's grants update",
    "SHOW GRANTS": "use the Grants API or the CLI's grants get",
}
_OTHERS = (
    "ALTER VIEW",
    "BEGIN",
    "CALL",
    "COMMENT ON CONNECTION",
    "COMMENT ON PROVIDER",
    "COMMENT ON RECIPIENT",
    "COMMENT ON SHARE",
    "CONVERT TO",
    "CREATE FOREIGN CATALOG",
    "CREATE FUNCTION",
    "CREATE OR REPLACE FUNCTION",
    "DECLARE",
    "DESCRIBE CATALOG",
    "DROP FUNCTION",
    "EXECUTE IMMEDIATE",
    "FSCK",
    "GET",
    "PUT",
    "REMOVE",
    "REORG",
    "SET VAR",
    "SHOW PARTITIONS",
    "SYNC",
    "UNDROP",
)
REFUSED = tuple(sorted((*_REMEDIES, *_OTHERS)))
"""The words that such statements begin with."""
_LONGEST = max(len(words.split()) for words in REFUSED)


def refuse(statement: str) -> None:
    """Raise SqlError for one of those statements."""
    head = Cursor(statement).head(_LONGEST)
    for words in REFUSED:
        if f"{head} ".startswith(f"{words} "):
            remedy = _REMEDIES.get(words)
            raise unsupported(words, remedy) if remedy else unsupported(words)
