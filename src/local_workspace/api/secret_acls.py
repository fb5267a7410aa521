"""ACLs of secret scopes: https://docs.databricks.com/api/workspace/secrets/putacl"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


def put(workspace: Workspace, params: Params) -> None:
    scope, principal = _which(params)
    workspace.secret_acls.put(scope, principal, params.required_text("permission"))


def get(workspace: Workspace, params: Params) -> dict[str, Any]:
    return asdict(workspace.secret_acls.get(*_which(params)))


def list_acls(workspace: Workspace, params: Params) -> dict[str, Any]:
    found = workspace.secret_acls.list(params.required_text("scope"))
    return {"items": [asdict(acl) for acl in found]}


def delete(workspace: Workspace, params: Params) -> None:
    workspace.secret_acls.delete(*_which(params))


def _which(params: Params) -> tuple[str, str]:
    return params.required_text("scope"), params.required_text("principal")


routes = [
    endpoint("POST", "/api/2.0/secrets/acls/put", put),
    endpoint("GET", "/api/2.0/secrets/acls/get", get),
    endpoint("GET", "/api/2.0/secrets/acls/list", list_acls),
    endpoint("POST", "/api/2.0/secrets/acls/delete", delete),
]
