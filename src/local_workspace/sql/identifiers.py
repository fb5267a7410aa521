"""Names in SQL text. https://docs.databricks.com/sql/language-manual/sql-ref-identifiers"""

from __future__ import annotations

import re

from local_workspace.sql.errors import error

_NAME = re.compile(r"`((?:[^`]|``)+)`|([^.`\s]+)")
_DOTTED = re.compile(rf"(?:{_NAME.pattern})(?:\.(?:{_NAME.pattern}))*")


def quote(name: str) -> str:
    """One name in back-quotes, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def quote_dotted(text: str) -> str:
    """`catalog.schema.table` with every part quoted; SqlError if it is no such name."""
    if not _DOTTED.fullmatch(text):
        message = f"'{text}' is not a valid identifier: expected names joined by periods."
        raise error("PARSE_SYNTAX_ERROR", message, "42601")
    parts = (quoted.replace("``", "`") or plain for quoted, plain in _NAME.findall(text))
    return ".".join(map(quote, parts))
