"""Who the caller is and what the host is; telemetry is accepted and thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.settings import USER_ID, USER_NAME, WORKSPACE_ID

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

GROUPS = ("admins", "users")


def host_metadata(workspace: Workspace, _: Params) -> dict[str, Any]:
    """What clients ask a host before they sign in; there is no OAuth here, only the token."""
    return {
        "oidc_endpoint": f"{workspace.url}/oidc",
        "workspace_id": str(WORKSPACE_ID),
        "account_id": "",
        "cloud": "aws",
    }


def me(_: Workspace, __: Params) -> dict[str, Any]:
    """The one user (https://docs.databricks.com/api/workspace/currentuser/me)."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": USER_ID,
        "userName": USER_NAME,
        "displayName": USER_NAME,
        "active": True,
        "emails": [{"value": USER_NAME, "type": "work", "primary": True}],
        "groups": [{"display": group, "value": group, "type": "direct"} for group in GROUPS],
    }


def telemetry(_: Workspace, params: Params) -> dict[str, Any]:
    """Counts the records as received: a client that is told otherwise sends them again."""
    return {"errors": [], "numProtoSuccess": len(params.array("protoLogs"))}


routes = [
    endpoint("GET", "/.well-known/databricks-config", host_metadata),
    endpoint("GET", "/api/2.0/preview/scim/v2/Me", me),
    endpoint("POST", "/telemetry-ext", telemetry),
]
