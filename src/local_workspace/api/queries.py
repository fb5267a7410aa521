"""Saved queries of Databricks SQL: https://docs.databricks.com/api/workspace/queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from databricks.sdk.service.sql import CreateQueryRequestQuery, UpdateQueryRequestQuery

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.api.paging import page_of
from local_workspace.errors import InvalidParameterValue
from local_workspace.models.json_types import conform
from local_workspace.settings import USER_NAME
from local_workspace.store.queries import Query
from local_workspace.store.workspace_files import HOME

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

MAX_PAGE = 100

Json = dict[str, Any]
_CHANGEABLE = frozenset(field.name for field in fields(UpdateQueryRequestQuery))


def create(workspace: Workspace, params: Params) -> Json:
    given: Json = conform(params.object("query"), CreateQueryRequestQuery, "query")
    settings = {"parent_path": HOME, "run_as_mode": "OWNER", **given}
    for name in ("display_name", "query_text"):
        if not settings.get(name):
            raise InvalidParameterValue(f"Missing required field: query.{name}")
    resolve = params.boolean("auto_resolve_display_name")
    return _view(workspace.queries.create(settings, resolve_name=resolve))


def get(workspace: Workspace, params: Params) -> Json:
    return _view(workspace.queries.get(params.required_text("id")))


def list_queries(workspace: Workspace, params: Params) -> Json:
    page, token = page_of(workspace.queries.list(), params, "page_size", MAX_PAGE)
    views = [_view(query) for query in page]
    for view in views:
        view.pop("parent_path")
    return {"results": views, **token}


def update(workspace: Workspace, params: Params) -> Json:
    query = workspace.queries.get(params.required_text("id"))
    given: Json = conform(params.object("query"), UpdateQueryRequestQuery, "query")
    settings = _changed(query.settings, given, params.required_text("update_mask"))
    resolve = params.boolean("auto_resolve_display_name")
    return _view(workspace.queries.update(query.query_id, settings, resolve_name=resolve))


def delete(workspace: Workspace, params: Params) -> None:
    """Into the trash: listed no more, still there to be read."""
    workspace.queries.trash(params.required_text("id"))


def _changed(settings: Json, given: Mapping[str, Any], mask: str) -> Json:
    """The fields that the mask names, as given; one that is not given is removed."""
    names = _CHANGEABLE if mask == "*" else frozenset(mask.split(","))
    if unknown := sorted(names - _CHANGEABLE):
        raise InvalidParameterValue(
            f"update_mask names {unknown[0]!r}, which a query does not have."
        )
    kept = {name: value for name, value in settings.items() if name not in names}
    changed = kept | {name: value for name, value in given.items() if name in names}
    for name in ("display_name", "query_text"):
        if not changed.get(name):
            raise InvalidParameterValue(f"query.{name} cannot be removed.")
    return {"run_as_mode": "OWNER", **changed}


def _view(query: Query) -> Json:
    return {
        "owner_user_name": USER_NAME,
        **query.settings,
        "id": query.query_id,
        "last_modifier_user_name": USER_NAME,
        "lifecycle_state": "TRASHED" if query.is_trashed else "ACTIVE",
        "create_time": _time(query.created_at),
        "update_time": _time(query.updated_at),
    }


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='milliseconds')}Z"


routes = [
    endpoint("POST", "/api/2.0/sql/queries", create),
    endpoint("GET", "/api/2.0/sql/queries", list_queries),
    endpoint("GET", "/api/2.0/sql/queries/{id}", get),
    endpoint("PATCH", "/api/2.0/sql/queries/{id}", update),
    endpoint("DELETE", "/api/2.0/sql/queries/{id}", delete),
]
