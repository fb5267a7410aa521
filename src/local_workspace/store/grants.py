"""Grants on the objects of Unity Catalog: stored and shown.

The local workspace has one user, who may do everything: a grant changes nothing but what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from databricks.sdk.service.catalog import (
    EffectivePrivilege,
    EffectivePrivilegeAssignment,
    PermissionsChange,
    Privilege,
    PrivilegeAssignment,
    SecurableType,
)

from local_workspace.errors import InvalidParameterValue
from local_workspace.store import names, securables
from local_workspace.store.database import Database
from local_workspace.store.securables import Kind


class Grants:
    def __init__(self, db: Database) -> None:
        self._db = db

    def on(self, kind: Kind, full_name: str) -> list[PrivilegeAssignment]:
        """The privileges of each principal on one object, in alphabetical order."""
        return self._assignments(securables.get(self._db, kind, full_name)["securable_id"])

    def effective_on(self, kind: Kind, full_name: str) -> list[EffectivePrivilegeAssignment]:
        """As `on`, with the privileges on the objects that hold this one, and where each comes from."""
        found: dict[str, list[EffectivePrivilege]] = {}
        for holder_kind, holder in reversed(_with_parents(kind, full_name)):
            row = securables.get(self._db, holder_kind, holder)
            for assignment in self._assignments(row["securable_id"]):
                assert assignment.principal is not None
                held = found.setdefault(assignment.principal, [])
                for privilege in assignment.privileges or ():
                    source = None if holder_kind == kind else (row["full_name"], holder_kind)
                    held.append(_effective(privilege, source))
        return [EffectivePrivilegeAssignment(*item) for item in sorted(found.items())]

    def change(
        self, kind: Kind, full_name: str, changes: Iterable[PermissionsChange]
    ) -> list[PrivilegeAssignment]:
        """Take away, then add what each change says; answers with the privileges after that."""
        with self._db.transaction():
            securable_id = securables.get(self._db, kind, full_name)["securable_id"]
            for change in changes:
                self._apply(securable_id, change)
            return self._assignments(securable_id)

    def _apply(self, securable_id: str, change: PermissionsChange) -> None:
        added, removed = set(change.add or []), set(change.remove or [])
        if added & removed:
            raise InvalidParameterValue(
                f"Duplicate privileges to add and delete for principal {change.principal}."
            )
        for privilege in removed:
            self._remove(securable_id, change.principal, privilege)
        for privilege in added:
            self._db.execute(
                "INSERT OR IGNORE INTO grants VALUES (?, ?, ?)",
                (securable_id, change.principal, privilege.value),
            )

    def _remove(self, securable_id: str, principal: str | None, privilege: Privilege) -> None:
        # Taking away ALL_PRIVILEGES takes away every privilege.
        self._db.execute(
            "DELETE FROM grants WHERE securable_id = ? AND principal = ? AND ? IN (privilege, ?)",
            (securable_id, principal, privilege.value, Privilege.ALL_PRIVILEGES.value),
        )

    def _assignments(self, securable_id: str) -> list[PrivilegeAssignment]:
        rows = self._db.all(
            "SELECT principal, privilege FROM grants WHERE securable_id = ? ORDER BY 1, 2",
            (securable_id,),
        )
        granted: dict[str, list[Privilege]] = {}
        for row in rows:
            granted.setdefault(row["principal"], []).append(Privilege(row["privilege"]))
        return [
            PrivilegeAssignment(principal, privileges) for principal, privileges in granted.items()
        ]


def _with_parents(kind: Kind, full_name: str) -> list[tuple[Kind, str]]:
    """The object, its schema and its catalog, as far as it is below them."""
    parts = names.split(full_name, securables.LEVELS[kind])
    parents: tuple[Kind, ...] = ("schema", "catalog")
    above = [each for each in parents if securables.LEVELS[each] < len(parts)]
    return [
        (kind, full_name),
        *((each, _quoted(parts[: securables.LEVELS[each]])) for each in above),
    ]


def _quoted(parts: Sequence[str]) -> str:
    return ".".join(f"`{part}`" for part in parts)


def _effective(privilege: Privilege, source: tuple[str, Kind] | None) -> EffectivePrivilege:
    if source is None:
        return EffectivePrivilege(privilege=privilege)
    name, kind = source
    return EffectivePrivilege(name, SecurableType(kind.upper()), privilege)
