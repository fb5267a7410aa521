"""Grants on the objects of Unity Catalog. https://docs.databricks.com/api/workspace/grants"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from databricks.sdk.service.catalog import PermissionsChange, Privilege

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import FeatureDisabled
from local_workspace.store.securables import Kind

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

PREFIX = "/api/2.1/unity-catalog"
GRANTABLE: tuple[Kind, ...] = ("catalog", "schema", "table", "volume")


def get_grants(workspace: Workspace, params: Params) -> dict[str, Any]:
    assignments = workspace.catalog.grants.on(_securable(params), params["full_name"])
    return _shown([assignment.as_dict() for assignment in assignments], params)


def get_effective_grants(workspace: Workspace, params: Params) -> dict[str, Any]:
    """With those on the catalog and the schema of the object, which it inherits."""
    grants = workspace.catalog.grants
    assignments = grants.effective_on(_securable(params), params["full_name"])
    return _shown([assignment.as_dict() for assignment in assignments], params)


def change_grants(workspace: Workspace, params: Params) -> dict[str, Any]:
    changes = [_permissions_change(Params(change)) for change in params.objects("changes")]
    assignments = workspace.catalog.grants.change(_securable(params), params["full_name"], changes)
    if params.boolean("omit_permissions_in_response"):
        return {}
    return {"privilege_assignments": [assignment.as_dict() for assignment in assignments]}


def _shown(assignments: list[dict[str, Any]], params: Params) -> dict[str, Any]:
    """All of them, or those of the principal that is asked for."""
    principal = params.text("principal")
    found = [each for each in assignments if principal in (None, each["principal"])]
    return {"privilege_assignments": found}


def _securable(params: Params) -> Kind:
    sent = params["securable_type"].lower()
    for kind in GRANTABLE:
        if kind == sent:
            return kind
    raise FeatureDisabled(
        f"The local workspace has no grants on '{sent}', only on {', '.join(GRANTABLE)}."
    )


def _permissions_change(change: Params) -> PermissionsChange:
    return PermissionsChange(
        principal=change.required_text("principal"),
        add=[_privilege(name) for name in change.array("add")],
        remove=[_privilege(name) for name in change.array("remove")],
    )


def _privilege(name: Any) -> Privilege:
    # The SQL spelling, `USE SCHEMA`, is accepted as well.
    text = str(name).upper().replace(" ", "_")
    return Params({"privilege": text}).enum("privilege", Privilege)


routes = [
    endpoint("GET", f"{PREFIX}/permissions/{{securable_type}}/{{full_name}}", get_grants),
    endpoint("PATCH", f"{PREFIX}/permissions/{{securable_type}}/{{full_name}}", change_grants),
    endpoint(
        "GET",
        f"{PREFIX}/effective-permissions/{{securable_type}}/{{full_name}}",
        get_effective_grants,
    ),
]
