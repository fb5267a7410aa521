"""`2.0/permissions/{type}/{id}`: who may do what with an object.

https://docs.databricks.com/api/workspace/permissions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import ResourceDoesNotExist
from local_workspace.store.permissions import levels_of

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

_NOUNS = {"jobs": "job", "directories": "directory", "notebooks": "notebook", "files": "file"}


def get_permissions(workspace: Workspace, params: Params) -> dict[str, Any]:
    object_type, object_id = _find(workspace, params)
    return _describe(workspace, object_type, object_id)


def set_permissions(workspace: Workspace, params: Params) -> dict[str, Any]:
    """Replace all direct permissions."""
    object_type, object_id = _find(workspace, params)
    workspace.permissions.replace(object_type, object_id, params.array("access_control_list"))
    return _describe(workspace, object_type, object_id)


def update_permissions(workspace: Workspace, params: Params) -> dict[str, Any]:
    """Change the permissions of the named principals and leave the others."""
    object_type, object_id = _find(workspace, params)
    workspace.permissions.update(object_type, object_id, params.array("access_control_list"))
    return _describe(workspace, object_type, object_id)


def get_permission_levels(workspace: Workspace, params: Params) -> dict[str, Any]:
    """The levels that the object's type has."""
    object_type, _ = _find(workspace, params)
    levels = [
        {"permission_level": level, "description": level.replace("_", " ").capitalize()}
        for level in levels_of(object_type)
    ]
    return {"permission_levels": levels}


def _find(workspace: Workspace, params: Params) -> tuple[str, str]:
    """The object's type and id; FeatureDisabled for another type, ResourceDoesNotExist without it."""
    object_type = params.required_text("request_object_type")
    object_id = params.required_text("request_object_id")
    levels_of(object_type)
    if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
        raise ResourceDoesNotExist(f"{object_type}/{object_id} does not exist.")
    if object_type == "jobs":
        workspace.jobs.get(int(object_id))
    else:
        workspace.files.get_by_id(int(object_id))
    return object_type, object_id


def _describe(workspace: Workspace, object_type: str, object_id: str) -> dict[str, Any]:
    """The direct permissions, then what administrators inherit."""
    entries: list[dict[str, Any]] = [
        {
            entry.principal_kind: entry.principal,
            "display_name": entry.principal,
            "all_permissions": [{"permission_level": entry.level, "inherited": False}],
        }
        for entry in workspace.permissions.get(object_type, object_id)
    ]
    inherited = {
        "permission_level": "CAN_MANAGE",
        "inherited": True,
        "inherited_from_object": [f"/{object_type}/"],
    }
    return {
        "object_id": f"/{object_type}/{object_id}",
        "object_type": _NOUNS[object_type],
        "access_control_list": [*entries, {"group_name": "admins", "all_permissions": [inherited]}],
    }


_PATH = "/api/2.0/permissions/{request_object_type:path}/{request_object_id}"
routes = [
    # First, since a type may have slashes in it.
    endpoint("GET", f"{_PATH}/permissionLevels", get_permission_levels),
    endpoint("GET", _PATH, get_permissions),
    endpoint("PUT", _PATH, set_permissions),
    endpoint("PATCH", _PATH, update_permissions),
]
