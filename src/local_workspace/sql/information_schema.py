"""Where a statement reads INFORMATION_SCHEMA, which the Spark engine has not.

https://docs.databricks.com/sql/language-manual/sql-ref-information-schema
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from local_workspace.sql.errors import unsupported
from local_workspace.sql.identifiers import quote
from local_workspace.sql.script import tokenize

RELATIONS = ("catalogs", "columns", "schemata", "tables", "volumes")
_ALIAS = (TokenType.ALIAS, TokenType.VAR, TokenType.IDENTIFIER)


@dataclass(frozen=True)
class Reference:
    """A relation in the text from `start` up to `stop`; without a catalog it is the current one's."""

    start: int
    stop: int
    catalog: str | None
    relation: str
    has_alias: bool


def references(statement: str) -> list[Reference]:
    """SqlError for a relation that is not one of RELATIONS."""
    return list(_references(tokenize(statement)))


def replaced(statement: str, found: list[Reference], names: list[str]) -> str:
    """The statement as a format string in which a field, named in `names`, stands for each reference."""
    parts, copied = [], 0
    for reference, name in zip(found, names, strict=True):
        alias = "" if reference.has_alias else f" AS {quote(reference.relation)}"
        parts += [_literal(statement[copied : reference.start]), f"{{{name}}}{alias}"]
        copied = reference.stop
    return "".join([*parts, _literal(statement[copied:])])


def _references(tokens: list[Token]) -> Iterator[Reference]:
    for index in range(len(tokens) - 2):
        schema, dot, relation = tokens[index : index + 3]
        is_schema = schema.text.lower() == "information_schema" and dot.text == "."
        if not is_schema or schema.token_type is TokenType.STRING:
            continue
        after = tokens[index + 3] if index + 3 < len(tokens) else None
        if relation.text.lower() not in RELATIONS:
            what = f"information_schema.{relation.text.lower()}"
            raise unsupported(what, f"it has {', '.join(RELATIONS)}")
        if after is not None and after.text == ".":
            raise unsupported("columns named with information_schema", "give it an alias")
        has_catalog = index >= 2 and tokens[index - 1].text == "."
        yield Reference(
            tokens[index - 2].start if has_catalog else schema.start,
            relation.end + 1,
            tokens[index - 2].text.lower() if has_catalog else None,
            relation.text.lower(),
            after is not None and after.token_type in _ALIAS,
        )


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
