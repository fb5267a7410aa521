"""The files that a statement names itself: only those of volumes and of the workspace are there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from sqlglot.tokenizer_core import Token, TokenType

from local_workspace.errors import InvalidParameterValue
from local_workspace.paths import resolve
from local_workspace.sql.conditions import no_such_path
from local_workspace.sql.script import tokenize

_FORMATS = ("arrow", "avro", "binaryfile", "csv", "delta", "json", "orc", "parquet", "text", "xml")
_PATH_FOLLOWS = ("DIRECTORY", "INPATH", "LOCATION")


def require_mounted(statement: str, mounts: Path) -> None:
    """Raise SqlError for a file outside of `/Volumes` and `/Workspace`, whatever path leads there.

    A file is named as a table, csv.`/Volumes/...`, or as a string behind LOCATION and the like.
    """
    for path in _named_files(tokenize(statement)):
        try:
            resolve(mounts, path.removeprefix("dbfs:"))
        except InvalidParameterValue as refusal:
            raise no_such_path(path, refusal.message) from refusal


def queried_files(tokens: list[Token]) -> Iterator[str]:
    """Files, folders or patterns of them that are queried as tables.

    https://docs.databricks.com/sql/language-manual/sql-ref-syntax-qry-select-table-reference
    """
    for first, second, third in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_table = third.token_type is TokenType.IDENTIFIER and second.text == "."
        if is_table and first.text.lower() in _FORMATS and "/" in third.text:
            yield third.text


def _named_files(tokens: list[Token]) -> Iterator[str]:
    yield from queried_files(tokens)
    for before, token in itertools.pairwise(tokens):
        if token.token_type is TokenType.STRING and before.text.upper() in _PATH_FOLLOWS:
            yield token.text
    yield from _path_option(tokens)


def _path_option(tokens: list[Token]) -> Iterator[str]:
    """OPTIONS (path '...'), with or without a sign between; elsewhere a path is a column as any other."""
    behind = itertools.dropwhile(lambda token: token.text.upper() != "OPTIONS", tokens)
    for name, value in itertools.pairwise(token for token in behind if token.text != "="):
        if name.text.upper() == "PATH" and value.token_type is TokenType.STRING:
            yield value.text
