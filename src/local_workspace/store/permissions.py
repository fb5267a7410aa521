"""Direct permissions on objects. They are recorded and shown; the one user may do everything.

https://docs.databricks.com/api/workspace/permissions
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from local_workspace.errors import FeatureDisabled, InvalidParameterValue, MalformedRequest
from local_workspace.settings import USER_NAME
from local_workspace.store.database import Database

PRINCIPAL_KINDS = ("user_name", "group_name", "service_principal_name")
OWNER = "IS_OWNER"
_FILE_LEVELS = ("CAN_MANAGE", "CAN_EDIT", "CAN_RUN", "CAN_READ")
LEVELS = {
    "jobs": (OWNER, "CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW"),
    "directories": _FILE_LEVELS,
    "notebooks": _FILE_LEVELS,
    "files": _FILE_LEVELS,
}
"""The levels of each type of object, by its name in the API's paths."""


@dataclass(frozen=True)
class Permission:
    """One principal's level; `principal_kind` is `user_name`, `group_name` or `service_principal_name`."""

    principal_kind: str
    principal: str
    level: str


class Permissions:
    """`object_type` is the type in the API's paths (`jobs`); access control lists are as the API gets them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, object_type: str, object_id: str) -> list[Permission]:
        """What was set; until then the creator owns what can be owned."""
        rows = self._db.all(
            "SELECT principal_kind, principal, level FROM permissions "
            "WHERE object = ? ORDER BY position",
            (f"/{object_type}/{object_id}",),
        )
        if rows:
            return [Permission(*row) for row in rows]
        return [_CREATOR] if _is_owned(object_type) else []

    def create(self, object_type: str, object_id: str, entries: Sequence[Any]) -> None:
        """Set those of a new object; the creator owns it unless `entries` name another owner."""
        permissions = _parse(object_type, entries)
        if _is_owned(object_type) and not _owners(permissions):
            permissions = _by_principal([*permissions, _CREATOR])
        self._save(object_type, object_id, permissions)

    def replace(self, object_type: str, object_id: str, entries: Sequence[Any]) -> None:
        """Set exactly these; InvalidParameterValue unless what can be owned has one owner."""
        self._save(object_type, object_id, _parse(object_type, entries))

    def update(self, object_type: str, object_id: str, entries: Sequence[Any]) -> None:
        """Change the permissions of the named principals and leave the others."""
        before = self.get(object_type, object_id)
        permissions = _by_principal([*before, *_parse(object_type, entries)])
        self._save(object_type, object_id, permissions)

    def _save(self, object_type: str, object_id: str, permissions: list[Permission]) -> None:
        if _is_owned(object_type) and len(_owners(permissions)) != 1:
            noun = object_type.removesuffix("s")
            raise InvalidParameterValue(f"The {noun} must have exactly one owner.")
        object_path = f"/{object_type}/{object_id}"
        with self._db.transaction():
            self._db.execute("DELETE FROM permissions WHERE object = ?", (object_path,))
            for position, entry in enumerate(permissions):
                values = (object_path, position, entry.principal_kind, entry.principal, entry.level)
                self._db.execute("INSERT INTO permissions VALUES (?, ?, ?, ?, ?)", values)


_CREATOR = Permission("user_name", USER_NAME, OWNER)


def levels_of(object_type: str) -> tuple[str, ...]:
    """The levels that an object of this type has; FeatureDisabled for a type without permissions here."""
    if object_type not in LEVELS:
        raise FeatureDisabled(
            f"The local workspace has no permissions for {object_type}; it has {', '.join(LEVELS)}."
        )
    return LEVELS[object_type]


def _is_owned(object_type: str) -> bool:
    return OWNER in levels_of(object_type)


def _owners(permissions: Iterable[Permission]) -> list[Permission]:
    return [entry for entry in permissions if entry.level == OWNER]


def _parse(object_type: str, entries: Sequence[Any]) -> list[Permission]:
    return _by_principal(_parse_entry(entry, levels_of(object_type)) for entry in entries)


def _by_principal(entries: Iterable[Permission]) -> list[Permission]:
    """One entry for each principal, the last one given."""
    return list({(entry.principal_kind, entry.principal): entry for entry in entries}.values())


def _parse_entry(entry: Any, levels: tuple[str, ...]) -> Permission:
    if not isinstance(entry, dict):
        raise MalformedRequest(f"access_control_list holds {entry!r} where an object is expected.")
    principals = [(kind, entry[kind]) for kind in PRINCIPAL_KINDS if entry.get(kind)]
    if len(principals) != 1 or not isinstance(principals[0][1], str):
        names = ", ".join(PRINCIPAL_KINDS)
        raise InvalidParameterValue(f"Exactly one of {names} is needed in {entry!r}.")
    level = entry.get("permission_level")
    if level not in levels:
        raise InvalidParameterValue(
            f"Invalid permission level {level!r}; there are {', '.join(levels)}."
        )
    return Permission(*principals[0], level)
