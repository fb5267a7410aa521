"""What a call of the Statement Execution API asks for.

https://docs.databricks.com/api/workspace/statementexecution/executestatement
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from local_workspace.api.endpoint import Params
from local_workspace.errors import InvalidParameterValue
from local_workspace.sql.parameters import Parameter
from local_workspace.store.statements import EXTERNAL_LINKS, INLINE, JSON_ARRAY

MAX_STATEMENT_BYTES = 16 * 1024 * 1024
"""Databricks' limit for the text of a query."""

_WAIT_TIMEOUT = re.compile(r"(0|[5-9]|[1-4]\d|50)s")


@dataclass(frozen=True)
class StatementRequest:
    """One statement and how its result is wanted; the wait is in seconds."""

    statement: str
    parameters: dict[str, Parameter]
    catalog: str | None
    schema: str | None
    format: str
    disposition: str
    row_limit: int | None
    byte_limit: int | None
    wait: int
    cancels_after_wait: bool

    @classmethod
    def parse(cls, params: Params) -> StatementRequest:
        format, disposition = _delivery(params)
        return cls(
            statement=_statement(params),
            parameters=dict(map(_parameter, params.array("parameters"))),
            catalog=params.text("catalog"),
            schema=params.text("schema"),
            format=format,
            disposition=disposition,
            row_limit=_positive(params, "row_limit"),
            byte_limit=_positive(params, "byte_limit"),
            wait=wait_seconds(params.text("wait_timeout", "10s")),
            cancels_after_wait=_choice(params, "on_wait_timeout", "CONTINUE", "CANCEL") == "CANCEL",
        )


def wait_seconds(text: str) -> int:
    if not _WAIT_TIMEOUT.fullmatch(text):
        raise InvalidParameterValue(
            f"wait_timeout must be '0s' or between '5s' and '50s', got {text!r}."
        )
    return int(text.removesuffix("s"))


def _statement(params: Params) -> str:
    text = params.required_text("statement")
    if len(text.encode()) > MAX_STATEMENT_BYTES:
        raise InvalidParameterValue(
            f"The statement exceeds the limit of {MAX_STATEMENT_BYTES} bytes."
        )
    return text


def _delivery(params: Params) -> tuple[str, str]:
    format = _choice(params, "format", JSON_ARRAY, "ARROW_STREAM", "CSV")
    disposition = _choice(params, "disposition", INLINE, EXTERNAL_LINKS)
    if disposition == INLINE and format != JSON_ARRAY:
        raise InvalidParameterValue(
            f"The format field must be JSON_ARRAY when the disposition field is INLINE, got {format}."
        )
    return format, disposition


def _choice(params: Params, name: str, default: str, *others: str) -> str:
    value = params.text(name, default)
    if value not in (default, *others):
        expected = ", ".join((default, *others))
        raise InvalidParameterValue(f"{name} must be one of {expected}, got {value!r}.")
    return value


def _positive(params: Params, name: str) -> int | None:
    value = params.integer(name)
    if value is not None and value <= 0:
        raise InvalidParameterValue(f"{name} must be greater than 0, got {value}.")
    return value


def _parameter(item: Any) -> tuple[str, Parameter]:
    given = Params(item if isinstance(item, dict) else {})
    return given.required_text("name"), Parameter(given.text("value"), given.text("type", "STRING"))
