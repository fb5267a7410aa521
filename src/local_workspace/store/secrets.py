"""Secret scopes and their secrets, in the state's database, which only its owner can read.

https://docs.databricks.com/aws/en/security/secrets/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from local_workspace.errors import (
    InvalidParameterValue,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from local_workspace.store.database import Database
from local_workspace.store.jobs import now

MAX_VALUE_BYTES = 128 * 1024
REDACTED = "[REDACTED]"
SHORTEST_REDACTED = 4
"""Characters; a shorter value stands in too much other text."""

_NAME = re.compile(r"[\w.@-]{1,128}", re.ASCII)


class ScopeAlreadyExists(ResourceAlreadyExists):
    """Databricks answers 400 here and 409 elsewhere."""

    status = 400


@dataclass(frozen=True)
class Secret:
    """Without its value; `updated_time` in epoch milliseconds."""

    key: str
    updated_time: int


class Secrets:
    def __init__(self, db: Database) -> None:
        self._db = db

    def create_scope(self, scope: str, manager: str) -> None:
        """`manager` is the user or group that may change its ACLs."""
        with self._db.transaction():
            if self._has_scope(_checked("scope", scope)):
                raise ScopeAlreadyExists(f"Scope {scope} already exists!")
            self._db.insert("secret_scopes", {"scope": scope, "created_time": now()})
            acl = {"scope": scope, "principal": manager, "permission": "MANAGE"}
            self._db.insert("secret_acls", acl)

    def scopes(self) -> list[str]:
        return [
            row["scope"] for row in self._db.all("SELECT scope FROM secret_scopes ORDER BY scope")
        ]

    def delete_scope(self, scope: str) -> None:
        """The scope goes with all its secrets."""
        with self._db.transaction():
            self.require_scope(scope)
            self._db.execute("DELETE FROM secret_scopes WHERE scope = ?", (scope,))

    def put(self, scope: str, key: str, value: bytes) -> None:
        """A new secret, or a new value of an old one."""
        if len(value) > MAX_VALUE_BYTES:
            raise InvalidParameterValue(
                f"The secret {key} has {len(value)} bytes; at most {MAX_VALUE_BYTES} are allowed."
            )
        with self._db.transaction():
            self.require_scope(scope)
            self._db.execute(
                "INSERT INTO secrets VALUES (?, ?, ?, ?) ON CONFLICT (scope, key) "
                "DO UPDATE SET value = excluded.value, updated_time = excluded.updated_time",
                (scope, _checked("key", key), value, now()),
            )

    def list(self, scope: str) -> list[Secret]:
        self.require_scope(scope)
        rows = self._db.all(
            "SELECT key, updated_time FROM secrets WHERE scope = ? ORDER BY key", (scope,)
        )
        return [Secret(row["key"], row["updated_time"]) for row in rows]

    def get(self, scope: str, key: str) -> bytes:
        self.require_scope(scope)
        row = self._db.one("SELECT value FROM secrets WHERE scope = ? AND key = ?", (scope, key))
        if row is None:
            raise ResourceDoesNotExist(f"Secret does not exist with scope: {scope} and key: {key}")
        return bytes(row["value"])

    def delete(self, scope: str, key: str) -> None:
        with self._db.transaction():
            self.get(scope, key)
            self._db.execute("DELETE FROM secrets WHERE scope = ? AND key = ?", (scope, key))

    def redactor(self) -> Callable[[str], str]:
        """Takes the values of the secrets as they are now out of any number of texts."""
        rows = self._db.all("SELECT value FROM secrets ORDER BY length(value) DESC")
        values = [bytes(row["value"]).decode(errors="replace") for row in rows]
        hidden = [value for value in values if len(value) >= SHORTEST_REDACTED]

        def redact(text: str) -> str:
            for value in hidden:
                text = text.replace(value, REDACTED)
            return text

        return redact

    def redact(self, text: str) -> str:
        """`text` without the values of secrets, as Databricks shows the output of a task."""
        return self.redactor()(text)

    def require_scope(self, scope: str) -> None:
        """ResourceDoesNotExist where there is no such scope."""
        if not self._has_scope(scope):
            raise ResourceDoesNotExist(f"Scope {scope} does not exist!")

    def _has_scope(self, scope: str) -> bool:
        return self._db.one("SELECT 1 FROM secret_scopes WHERE scope = ?", (scope,)) is not None


def _checked(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            f"The {what} name {name!r} is invalid: use 1 to 128 letters, digits and '-', '_', '@', '.'."
        )
    return name
