"""How SQL fails."""

from __future__ import annotations


class SqlError(Exception):
    """A statement that could not be executed: the message and, where it is known, the SQLSTATE."""

    def __init__(self, message: str, sql_state: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.sql_state = sql_state
