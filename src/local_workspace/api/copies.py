"""COPY INTO's ledger, as the process that executes the statement calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.store.copies import Copy, marker

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

COPIES = "/api/local/copies"


def announce(workspace: Workspace, params: Params) -> dict[str, Any]:
    copy = workspace.catalog.copies.announce(
        params.required_text("table_id"),
        [str(path) for path in params.array("paths")],
        forced=params.boolean("forced"),
    )
    return _answer(copy)


def get(workspace: Workspace, params: Params) -> dict[str, Any]:
    return _answer(workspace.catalog.copies.get(params["copy_id"]))


def finish(workspace: Workspace, params: Params) -> dict[str, Any]:
    return _answer(workspace.catalog.copies.finish(params["copy_id"]))


def withdraw(workspace: Workspace, params: Params) -> None:
    workspace.catalog.copies.withdraw(params["copy_id"])


def _answer(copy: Copy) -> dict[str, Any]:
    return {**vars(copy), "marker": marker(copy.copy_id)}


routes = [
    endpoint("POST", COPIES, announce),
    endpoint("GET", f"{COPIES}/{{copy_id}}", get),
    endpoint("POST", f"{COPIES}/{{copy_id}}/finish", finish),
    endpoint("DELETE", f"{COPIES}/{{copy_id}}", withdraw),
]
