"""Workspace objects: `2.0/workspace/*` and `2.0/workspace-files/import-file/*`.

https://docs.databricks.com/api/workspace/workspace
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_workspace.api import workspace_export
from local_workspace.api.endpoint import Params, file_endpoint, limited, raw_endpoint, read_params
from local_workspace.api.workspace_export import check_format
from local_workspace.errors import InvalidParameterValue
from local_workspace.store import archives, notebooks
from local_workspace.store.workspace_files import (
    DIRECTORY,
    MAX_NOTEBOOK,
    NOTEBOOK,
    ROOT,
    NotebookTooLarge,
    WorkspaceObject,
)

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

MAX_FILE = 500 * 1024 * 1024
"""Databricks' limit for a workspace file (docs: workspace files, limitations)."""
MAX_IMPORT = MAX_FILE + 1024 * 1024
"""With room for the other parts of a form."""
MAX_JSON_IMPORT = 15 * 1024 * 1024
"""Room for the base64 of the largest notebook."""

IMPORT_FILE = "/api/2.0/workspace-files/import-file/{path:path}"
IMPORT_FORMATS = ("AUTO", "SOURCE", "RAW", "JUPYTER")


def mkdirs(workspace: Workspace, params: Params) -> None:
    workspace.files.mkdirs(params.required_text("path"))


def get_status(workspace: Workspace, params: Params) -> dict[str, Any]:
    path = params.required_text("path")
    return _describe(workspace.files.get(path), path)


def list_objects(workspace: Workspace, params: Params) -> dict[str, Any]:
    path = params.required_text("path")
    return {"objects": [_describe(found, path) for found in workspace.files.list(path)]}


async def import_object(request: Request) -> Response:
    """The content comes as base64 in JSON, or as the file of a form."""
    workspace: Workspace = request.app.state.workspace
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        params = await read_params(limited(request, MAX_JSON_IMPORT))
        with workspace.files.upload() as incoming:
            decoded = _decode(params.text("content", ""))
            await asyncio.to_thread(incoming.write_bytes, decoded)
            await asyncio.to_thread(_import, workspace, params, incoming)
        return JSONResponse({})
    async with request.form(max_files=1) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        with workspace.files.upload() as incoming:
            with incoming.open("wb") as file:
                if isinstance(content := form.get("content"), UploadFile):
                    await asyncio.to_thread(shutil.copyfileobj, content.file, file)
                else:
                    file.write((content or "").encode())
            await asyncio.to_thread(_import, workspace, Params(fields), incoming)
    return JSONResponse({})


def _import(workspace: Workspace, params: Params, incoming: Path) -> None:
    path = params.required_text("path")
    format, language = params.text("format", "SOURCE"), params.text("language")
    check_format(format, IMPORT_FORMATS)
    if language is not None and language not in notebooks.LANGUAGES:
        raise InvalidParameterValue(f"Unknown language {language!r} for {path}.")
    if _is_folder(path, format, language, incoming):
        with workspace.files.unpacking() as folder:
            names = archives.unpack(incoming, folder)
            workspace.files.put_folder(path, folder, names)
    else:
        overwrite = params.boolean("overwrite")
        workspace.files.put(path, incoming, overwrite=overwrite, language=language, format=format)


def _is_folder(path: str, format: str, language: str | None, content: Path) -> bool:
    """A zip archive is a folder as SOURCE without a language, and as AUTO where its name says so."""
    is_meant = format == "SOURCE" and language is None
    is_named = format == "AUTO" and path.lower().endswith(".zip")
    return (is_meant or is_named) and zipfile.is_zipfile(content)


async def import_file(request: Request) -> Response:
    """Stream the raw body into a workspace file; the path comes percent-encoded as one segment."""
    workspace: Workspace = request.app.state.workspace
    path = "/" + request.path_params["path"].lstrip("/")
    overwrite = Params(dict(request.query_params)).boolean("overwrite")
    with workspace.files.upload() as incoming:
        with incoming.open("wb") as file:
            async for chunk in request.stream():
                await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(workspace.files.put, path, incoming, overwrite=overwrite)
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


def _decode(content: str) -> bytes:
    try:
        decoded = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameterValue(f"content is not base64: {error}") from error
    if len(decoded) > MAX_NOTEBOOK:
        raise NotebookTooLarge(
            f"content has {len(decoded)} bytes, at most {MAX_NOTEBOOK} come as base64; send a form."
        )
    return decoded


routes = [
    file_endpoint("POST", "/api/2.0/workspace/mkdirs", mkdirs),
    file_endpoint("GET", "/api/2.0/workspace/get-status", get_status),
    file_endpoint("GET", "/api/2.0/workspace/list", list_objects),
    file_endpoint("GET", "/api/2.0/workspace/export", workspace_export.export),
    raw_endpoint("POST", "/api/2.0/workspace/import", import_object, MAX_IMPORT),
    file_endpoint("POST", "/api/2.0/workspace/delete", delete),
    raw_endpoint("POST", IMPORT_FILE, import_file, MAX_FILE),
]
