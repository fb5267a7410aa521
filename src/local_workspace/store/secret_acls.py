"""Who may do what with the secrets of a scope. It is recorded and shown; the one user may do everything.

https://docs.databricks.com/api/workspace/secrets/putacl
"""

from __future__ import annotations

from dataclasses import dataclass

from local_workspace.errors import InvalidParameterValue, ResourceDoesNotExist
from local_workspace.store.database import Database
from local_workspace.store.secrets import Secrets

PERMISSIONS = ("MANAGE", "WRITE", "READ")


@dataclass(frozen=True)
class SecretAcl:
    """`principal` is the name of a user or group."""

    principal: str
    permission: str


class SecretAcls:
    """Every call raises ResourceDoesNotExist where there is no such scope."""

    def __init__(self, db: Database, secrets: Secrets) -> None:
        self._db = db
        self._secrets = secrets

    def put(self, scope: str, principal: str, permission: str) -> None:
        """What the principal had is replaced."""
        if permission not in PERMISSIONS:
            raise InvalidParameterValue(
                f"Invalid permission {permission!r}; there are {', '.join(PERMISSIONS)}."
            )
        with self._db.transaction():
            self._secrets.require_scope(scope)
            self._db.execute(
                "INSERT INTO secret_acls VALUES (?, ?, ?) ON CONFLICT (scope, principal) "
                "DO UPDATE SET permission = excluded.permission",
                (scope, principal, permission),
            )

    def list(self, scope: str) -> list[SecretAcl]:
        self._secrets.require_scope(scope)
        rows = self._db.all(
            "SELECT principal, permission FROM secret_acls WHERE scope = ? ORDER BY principal",
            (scope,),
        )
        return [SecretAcl(*row) for row in rows]

    def get(self, scope: str, principal: str) -> SecretAcl:
        for acl in self.list(scope):
            if acl.principal == principal:
                return acl
        raise ResourceDoesNotExist(f"Scope {scope} has no ACL for the principal {principal}.")

    def delete(self, scope: str, principal: str) -> None:
        with self._db.transaction():
            self.get(scope, principal)
            self._db.execute(
                "DELETE FROM secret_acls WHERE scope = ? AND principal = ?", (scope, principal)
            )
