"""A SQL script as Databricks' lexer sees it: tokens, and statements between semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from local_workspace.sql.errors import error

_QUERY = re.compile(r"\(|SELECT|WITH|VALUES|TABLE|FROM|SHOW|DESCRIBE|DESC|EXPLAIN|LIST")


class _Tokenizer(Databricks.Tokenizer):
    # sqlglot takes what follows SHOW, OPTIMIZE and the like for one string; it has tokens too.
    COMMANDS: ClassVar[set[TokenType]] = set()


@lru_cache(maxsize=8)
def tokenize(text: str) -> list[Token]:
    """The tokens with their places in `text` (`end` is inclusive); SqlError for an open quote.

    They are kept for a while, because a statement is looked at from several sides: do not change them.
    """
    try:
        return _Tokenizer(dialect="databricks").tokenize(text)
    except TokenError as unread:
        message = f"Syntax error: {unread}. Is a quote or a comment left open?"
        raise error("PARSE_SYNTAX_ERROR", message, "42601") from unread


def split(script: str) -> list[str]:
    """The statements of a script, each from its first token to its last as it is written."""
    return list(_statements(script))


def _statements(script: str) -> Iterator[str]:
    first: Token | None = None
    last: Token | None = None
    for token in tokenize(script):
        if token.token_type is not TokenType.SEMICOLON:
            first, last = first or token, token
        elif first and last:
            yield script[first.start : last.end + 1]
            first = last = None
    if first and last:
        yield script[first.start : last.end + 1]


def returns_rows(statement: str) -> bool:
    """Whether the statement asks for rows, so that its result is shown."""
    return _QUERY.fullmatch(_first_word(statement)) is not None


def inserts_rows(statement: str) -> bool:
    """Whether the statement's result is the number of rows that it inserted."""
    return _first_word(statement) == "INSERT"


def _first_word(statement: str) -> str:
    first = tokenize(statement)[0]
    return statement[first.start : first.end + 1].upper()
