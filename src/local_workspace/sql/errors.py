"""How SQL fails. Classes and states: https://docs.databricks.com/error-messages/error-classes"""

from __future__ import annotations


class SqlError(Exception):
    """A statement that could not be executed: the message and, where it is known, the SQLSTATE."""

    def __init__(self, message: str, sql_state: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.sql_state = sql_state


def error(error_class: str, message: str, sql_state: str) -> SqlError:
    """An error as Databricks words it: `[CLASS] message SQLSTATE: state`."""
    return SqlError(f"[{error_class}] {message} SQLSTATE: {sql_state}", sql_state)


def syntax_error(near: str | None, statement: str, start: int) -> SqlError:
    """The parser stopped at the text `near`, at offset `start`, or at the end of the statement."""
    at = "end of input" if near is None else f"'{near}'"
    before = statement[:start]
    line, column = before.count("\n") + 1, start - (before.rfind("\n") + 1)
    failure = error("PARSE_SYNTAX_ERROR", f"Syntax error at or near {at}.", "42601")
    return SqlError(f"{failure.message} (line {line}, pos {column})", failure.sql_state)


def unsupported(what: str, remedy: str = "run it on a Databricks workspace") -> SqlError:
    """What Databricks has and the local workspace has not."""
    message = f"The local workspace does not support {what}; {remedy}."
    return error("UNSUPPORTED_FEATURE", message, "0A000")
