"""Workspace objects: `2.0/workspace/*` and `2.0/workspace-files/import-file/*`.

https://docs.databricks.com/api/workspace/workspace
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import FeatureDisabled, InvalidParameterValue, RequestTooLarge
from local_workspace.store import notebooks
from local_workspace.store.workspace_files import DIRECTORY, NOTEBOOK, ROOT, WorkspaceObject

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

MAX_FILE = 500 * 1024 * 1024
"""Databricks' limit for a workspace file (docs: workspace files, limitations)."""

IMPORT_FORMATS = ("AUTO", "SOURCE", "RAW", "JUPYTER")
EXPORT_FORMATS = ("AUTO", "SOURCE", "RAW")


def mkdirs(workspace: Workspace, params: Params) -> None:
    workspace.files.mkdirs(params.required_text("path"))


def get_status(workspace: Workspace, params: Params) -> dict[str, Any]:
    path = params.required_text("path")
    return _describe(workspace.files.get(path), path)


def list_objects(workspace: Workspace, params: Params) -> dict[str, Any]:
    path = params.required_text("path")
    return {"objects": [_describe(found, path) for found in workspace.files.list(path)]}


def export(workspace: Workspace, params: Params) -> dict[str, Any] | Response:
    """The content: raw bytes with `direct_download`, else base64 in JSON."""
    _check_format(params.text("format", "SOURCE"), EXPORT_FORMATS)
    path = params.required_text("path")
    local = workspace.files.local_file(path)
    if params.boolean("direct_download"):
        return Response(local.read_bytes(), media_type="application/octet-stream")
    return {
        "content": base64.b64encode(local.read_bytes()).decode(),
        "file_type": _file_type(workspace.files.get(path)),
    }


def import_object(workspace: Workspace, params: Params) -> None:
    path = params.required_text("path")
    _check_format(params.text("format", "SOURCE"), IMPORT_FORMATS)
    language = params.text("language")
    if language is not None and language not in notebooks.LANGUAGES:
        raise InvalidParameterValue(f"Unknown language {language!r} for {path}.")
    with workspace.files.upload() as incoming:
        incoming.write_bytes(_decode(params.text("content", "")))
        workspace.files.put(
            path, incoming, overwrite=params.boolean("overwrite"), language=language
        )


async def import_file(request: Request) -> Response:
    """Stream the raw body into a workspace file; the path comes percent-encoded as one segment."""
    workspace: Workspace = request.app.state.workspace
    path = "/" + request.path_params["path"].lstrip("/")
    overwrite = Params(dict(request.query_params)).boolean("overwrite")
    with workspace.files.upload() as incoming:
        size = 0
        with incoming.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_FILE:
                    raise RequestTooLarge(f"{path} exceeds the limit of {MAX_FILE} bytes.")
                file.write(chunk)
        workspace.files.put(path, incoming, overwrite=overwrite)
    return JSONResponse({})


def delete(workspace: Workspace, params: Params) -> None:
    path = params.required_text("path")
    workspace.files.delete(path, recursive=params.boolean("recursive"))


def _describe(found: WorkspaceObject, asked: str) -> dict[str, Any]:
    """The API's view of an object; its path has the `/Workspace` prefix only if the caller's had it."""
    path = found.path if asked.startswith(ROOT) else found.path.removeprefix(ROOT) or "/"
    described = {
        "object_id": found.object_id,
        "object_type": found.object_type,
        "path": path,
        "resource_id": str(found.object_id),
        "created_at": found.created_at,
        "modified_at": found.modified_at,
    }
    if found.object_type != DIRECTORY:
        described["size"] = found.size
    if found.object_type == NOTEBOOK:
        described |= {"language": found.language, "repos_export_format": "SOURCE"}
    return described


def _file_type(found: WorkspaceObject) -> str:
    extensions = {"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}
    return extensions.get(found.language or "", "file")


def _check_format(asked: str, supported: tuple[str, ...]) -> None:
    if asked not in supported:
        raise FeatureDisabled(
            f"The local workspace has no format {asked}; it has {', '.join(supported)}."
        )


def _decode(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise InvalidParameterValue(f"content is not base64: {error}") from error


routes = [
    endpoint("POST", "/api/2.0/workspace/mkdirs", mkdirs),
    endpoint("GET", "/api/2.0/workspace/get-status", get_status),
    endpoint("GET", "/api/2.0/workspace/list", list_objects),
    endpoint("GET", "/api/2.0/workspace/export", export),
    endpoint("POST", "/api/2.0/workspace/import", import_object),
    endpoint("POST", "/api/2.0/workspace/delete", delete),
    Route("/api/2.0/workspace-files/import-file/{path:path}", import_file, methods=["POST"]),
]
