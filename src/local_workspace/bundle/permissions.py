"""The bundle's permissions on each job, with the deploying user as its owner.

https://docs.databricks.com/en/dev-tools/bundles/permissions.html
"""

from __future__ import annotations

from typing import Any

from local_workspace.bundle.errors import InvalidSetting
from local_workspace.bundle.identity import is_service_principal

JOB_LEVELS = {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_MANAGE_RUN"}
"""A bundle's levels as those of jobs."""

DIRECTORY_LEVELS = {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_READ", "CAN_RUN": "CAN_RUN"}
"""A bundle's levels as those of the folder that it is deployed to."""

PRINCIPALS = ("user_name", "service_principal_name", "group_name")
_RANK = ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER")


def check(permissions: list[dict[str, Any]]) -> None:
    """Raises InvalidSetting for a level that bundles do not have."""
    for permission in permissions:
        level = permission.get("level")
        if level not in JOB_LEVELS:
            raise InvalidSetting(
                f"permissions: the level is {level!r}; it must be one of {', '.join(JOB_LEVELS)}."
            )


def with_permissions(
    job: dict[str, Any], permissions: list[dict[str, Any]], user_name: str
) -> dict[str, Any]:
    """A job with its own permissions, then the bundle's; unchanged where there are none at all."""
    own = job.get("permissions", [])
    taken = {principal(permission) for permission in own}
    added = [
        {**permission, "level": JOB_LEVELS[permission["level"]]}
        for permission in permissions
        if principal(permission) not in taken
    ]
    if not own + added:
        return {key: value for key, value in job.items() if key != "permissions"}
    return {**job, "permissions": _with_manager([*own, *added], user_name)}


def principal(permission: dict[str, Any]) -> tuple[str, str]:
    """Whom a permission is for: the kind of principal and its name."""
    for kind in PRINCIPALS:
        if permission.get(kind):
            return kind, permission[kind]
    raise InvalidSetting(
        f"The permission {permission} names nobody; set one of {', '.join(PRINCIPALS)}."
    )


def _with_manager(permissions: list[dict[str, Any]], user_name: str) -> list[dict[str, Any]]:
    """One level per principal; the user is the owner, or manages what somebody else owns."""
    kind = "service_principal_name" if is_service_principal(user_name) else "user_name"
    is_owned = any(permission["level"] == "IS_OWNER" for permission in permissions)
    own = {"level": "CAN_MANAGE" if is_owned else "IS_OWNER", kind: user_name}
    levels: dict[tuple[str, str], str] = {}
    for permission in [*permissions, own]:
        who = principal(permission)
        levels[who] = max(levels.get(who, _RANK[0]), permission["level"], key=_rank)
    return [{"level": level, who: name} for (who, name), level in levels.items()]


def _rank(level: str) -> int:
    if level not in _RANK:
        raise InvalidSetting(
            f"The permission level {level!r} does not exist; jobs have {', '.join(_RANK)}."
        )
    return _RANK.index(level)
