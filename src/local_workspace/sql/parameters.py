"""Puts parameter values into a statement, because Sail binds none in commands (INSERT, MERGE ...).

A marker `:name` becomes a literal, and `IDENTIFIER(<constant>)` a quoted name, as source and as
target. Every other character passes through untouched.
https://docs.databricks.com/sql/language-manual/sql-ref-parameter-marker
https://docs.databricks.com/sql/language-manual/sql-ref-names-identifier-clause
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from local_workspace.sql.errors import error
from local_workspace.sql.identifiers import quote_dotted
from local_workspace.sql.script import tokenize

_WORD = re.compile(r"\w+")
_ENDS_AN_OPERAND = re.compile(r"[\w`)\]]")
_SCALAR_TYPE = re.compile(r"[A-Za-z]\w*( [A-Za-z]+)*(\(\s*\d+\s*(,\s*\d+\s*)?\))?")


@dataclass(frozen=True)
class Parameter:
    """A value as text, None for NULL, and the SQL type that it is cast to."""

    value: str | None
    type: str = "STRING"

    def literal(self) -> str:
        """The value as SQL text; SqlError where the type is not a scalar type's name."""
        if not _SCALAR_TYPE.fullmatch(self.type):
            raise error(
                "UNSUPPORTED_DATATYPE", f"Unsupported parameter type '{self.type}'.", "0A000"
            )
        if self.value is None:
            return f"CAST(NULL AS {self.type})"
        literal = string_literal(self.value)
        return literal if self.type.upper() == "STRING" else f"CAST({literal} AS {self.type})"


Parameters = Mapping[str, Parameter]


def bind(statement: str, parameters: Parameters) -> str:
    """The statement with its parameters in it; SqlError where a marker has no value."""
    tokens = tokenize(statement)
    parts, copied, index = [], 0, 0
    while index < len(tokens):
        found = _identifier_clause(statement, tokens, index, parameters)
        if found is None and (parameter := _marker(statement, tokens, index, parameters)):
            found = parameter.literal(), index + 2
        if found is None:
            index += 1
            continue
        text, stop = found
        parts += [statement[copied : tokens[index].start], text]
        copied, index = tokens[stop - 1].end + 1, stop
    return "".join([*parts, statement[copied:]])


def _marker(
    statement: str, tokens: Sequence[Token], index: int, parameters: Parameters
) -> Parameter | None:
    """The parameter that the marker at `index` stands for; None if there is no marker."""
    if tokens[index].token_type is not TokenType.COLON or index + 1 == len(tokens):
        return None
    colon, name = tokens[index], tokens[index + 1]
    text = statement[name.start : name.end + 1]
    # `column:field` is a path into JSON, and `STRUCT<field:TYPE>` a type.
    follows_operand = _ENDS_AN_OPERAND.match(statement[max(colon.start - 1, 0)])
    if name.start != colon.end + 1 or not _WORD.fullmatch(text) or follows_operand:
        return None
    if text not in parameters:
        message = f"Found the unbound parameter: {text}. Please, provide a value for it."
        raise error("UNBOUND_SQL_PARAMETER", message, "42P02")
    return parameters[text]


def _identifier_clause(
    statement: str, tokens: Sequence[Token], index: int, parameters: Parameters
) -> tuple[str, int] | None:
    """The quoted name of the clause that starts at `index`, and the index after the clause."""
    if tokens[index].text.upper() != "IDENTIFIER" or tokens[index].token_type is not TokenType.VAR:
        return None
    if index + 1 == len(tokens) or tokens[index + 1].token_type is not TokenType.L_PAREN:
        return None
    name, at = "", index + 2
    while at + 1 < len(tokens):
        if tokens[at].token_type is TokenType.STRING:
            name, at = name + tokens[at].text, at + 1
        elif parameter := _marker(statement, tokens, at, parameters):
            name, at = name + _not_null(parameter), at + 2
        else:
            return None
        if at < len(tokens) and tokens[at].token_type is TokenType.R_PAREN:
            return quote_dotted(name), at + 1
        if at == len(tokens) or tokens[at].token_type is not TokenType.DPIPE:
            return None
        at += 1
    return None


def _not_null(parameter: Parameter) -> str:
    if parameter.value is None:
        message = "The expression of IDENTIFIER must be a constant STRING which is NOT NULL."
        raise error("NOT_A_CONSTANT_STRING.NULL", message, "42601")
    return parameter.value


def string_literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
