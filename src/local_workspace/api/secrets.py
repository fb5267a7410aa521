"""Secrets 2.0: https://docs.databricks.com/api/workspace/secrets"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import FeatureDisabled, InvalidParameterValue
from local_workspace.settings import USER_NAME

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

ALL_USERS = "users"


def create_scope(workspace: Workspace, params: Params) -> None:
    backend = params.text("scope_backend_type", "DATABRICKS")
    if backend != "DATABRICKS":
        raise FeatureDisabled(
            f"The local workspace has no secret scopes with the scope_backend_type {backend}."
        )
    if "backend_azure_keyvault" in params:
        raise FeatureDisabled("The local workspace has no backend_azure_keyvault for secrets.")
    manager = params.text("initial_manage_principal", USER_NAME)
    if manager not in (USER_NAME, ALL_USERS):
        raise InvalidParameterValue(f"initial_manage_principal is {manager!r}, not {ALL_USERS!r}.")
    workspace.secrets.create_scope(params.required_text("scope"), manager)


def list_scopes(workspace: Workspace, _: Params) -> dict[str, Any]:
    names = workspace.secrets.scopes()
    return {"scopes": [{"name": name, "backend_type": "DATABRICKS"} for name in names]}


def delete_scope(workspace: Workspace, params: Params) -> None:
    workspace.secrets.delete_scope(params.required_text("scope"))


def put(workspace: Workspace, params: Params) -> None:
    workspace.secrets.put(
        params.required_text("scope"), params.required_text("key"), _value(params)
    )


def list_secrets(workspace: Workspace, params: Params) -> dict[str, Any]:
    found = workspace.secrets.list(params.required_text("scope"))
    return {"secrets": [{"key": s.key, "last_updated_timestamp": s.updated_time} for s in found]}


def get(workspace: Workspace, params: Params) -> dict[str, Any]:
    key = params.required_text("key")
    value = workspace.secrets.get(params.required_text("scope"), key)
    return {"key": key, "value": base64.b64encode(value).decode()}


def delete(workspace: Workspace, params: Params) -> None:
    workspace.secrets.delete(params.required_text("scope"), params.required_text("key"))


def _value(params: Params) -> bytes:
    text, encoded = params.text("string_value"), params.text("bytes_value")
    if (text is None) == (encoded is None):
        raise InvalidParameterValue("Give exactly one of string_value and bytes_value.")
    if text is not None:
        return text.encode(errors="surrogatepass")
    try:
        return base64.b64decode(encoded or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameterValue(f"bytes_value is not valid base64: {error}.") from None


routes = [
    endpoint(method, f"/api/2.0/secrets/{name}", handler)
    for method, name, handler in (
        ("POST", "scopes/create", create_scope),
        ("GET", "scopes/list", list_scopes),
        ("POST", "scopes/delete", delete_scope),
        ("POST", "put", put),
        ("GET", "list", list_secrets),
        ("GET", "get", get),
        ("POST", "delete", delete),
    )
]
