"""Files API 2.0 on volumes: files as raw bytes, streamed in both directions, and directories.

https://docs.databricks.com/api/workspace/files
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from local_workspace.api.endpoint import (
    MAX_JSON_BODY,
    Params,
    endpoint,
    file_endpoint,
    raw_endpoint,
)
from local_workspace.api.paging import page_of
from local_workspace.errors import (
    ApiError,
    DirectoryNotEmpty,
    FeatureDisabled,
    InvalidParameterValue,
    ResourceAlreadyExists,
    ResourceConflict,
    ResourceDoesNotExist,
)
from local_workspace.paths import is_unicode

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

FILES = "/api/2.0/fs/files{path:path}"
DIRECTORIES = "/api/2.0/fs/directories{path:path}"
NO_UPLOAD = "/fs/no-upload"
MAX_FILE = 5 * 1024**3
"""Databricks' limit for a file that is uploaded (docs: Files API)."""
MAX_PAGE_SIZE = 1000
"""Entries of a directory in one answer."""


class VolumeDirectoryNotEmpty(DirectoryNotEmpty):
    def body(self) -> dict[str, Any]:
        """With the reason by which the CLI tells it from other bad requests."""
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "FILES_API_DIRECTORY_IS_NOT_EMPTY",
            "domain": "filesystem.databricks.com",
        }
        return {**super().body(), "details": [info]}


class FileModifiedError(ApiError):
    status = 412
    error_code = "PRECONDITION_FAILED"


async def upload_file(request: Request) -> Response:
    """Write the body to a file, which appears when it is complete; parent directories are made."""
    path, target = request.path_params["path"], _local(request)
    overwrite = Params(request.query_params).boolean("overwrite")
    if target.is_dir():
        raise ResourceConflict(f"{path} is a directory.")
    _make_directory(target.parent, path)
    try:
        await _receive(request, target, overwrite)
    except FileExistsError:
        raise ResourceAlreadyExists(f"The file {path} already exists.") from None
    return Response(status_code=204)


async def download_file(request: Request) -> Response:
    """The file's bytes, or those that a Range header asks for; HEAD gets the headers alone."""
    path, file = request.path_params["path"], _local(request)
    if not file.is_file():
        raise ResourceDoesNotExist(f"The file {path} does not exist.")
    _require_unmodified(request, path, file)
    return FileResponse(file, media_type="application/octet-stream")


def delete_file(workspace: Workspace, params: Params) -> Response:
    file = workspace.volumes.resolve_entry(params["path"])
    if not file.is_symlink() and (file.is_dir() or not file.exists()):
        raise ResourceDoesNotExist(f"The file {params['path']} does not exist.")
    file.unlink()
    return Response(status_code=204)


def start_multipart_upload(workspace: Workspace, params: Params) -> dict[str, Any]:
    """Answer as a workspace in which presigned URLs are off.

    The SDK asks for this from 50 MiB on, and sends the file in one request once it is refused the
    URL for the first part.
    """
    workspace.volumes.resolve(params["path"])
    if params.text("action") != "initiate-upload":
        raise InvalidParameterValue(f"Action '{params.text('action')}' on a file is not supported.")
    return {"multipart_upload": {"session_token": "presigned-urls-are-disabled"}}


def refuse_presigned_url(_: Workspace, __: Params) -> dict[str, Any]:
    raise FeatureDisabled(
        "The local workspace has no presigned URLs; send or fetch the file in one request to "
        "/api/2.0/fs/files."
    )


def abort_upload_url(workspace: Workspace, params: Params) -> dict[str, Any]:
    """Where the SDK aborts the upload that was refused the URL for its first part; there is nothing to abort."""
    workspace.volumes.resolve(params.required_text("path"))
    return {"abort_upload_url": {"url": f"{workspace.url}{NO_UPLOAD}", "headers": []}}


def abort_nothing(_: Workspace, __: Params) -> None:
    """Without the token, as all presigned URLs."""


def list_directory(workspace: Workspace, params: Params) -> dict[str, Any]:
    """The entries of a directory, ordered by name; sizes in bytes, times in epoch milliseconds."""
    path = params["path"].rstrip("/")
    directory = _directory(workspace, path)
    entries = sorted(entry for entry in directory.iterdir() if is_unicode(entry.name))
    page, rest = page_of(entries, params, "page_size", MAX_PAGE_SIZE)
    return {"contents": [_directory_entry(f"{path}/{entry.name}", entry) for entry in page], **rest}


def make_directory(workspace: Workspace, params: Params) -> Response:
    _make_directory(workspace.volumes.resolve(params["path"]), params["path"])
    return Response(status_code=204)


def delete_directory(workspace: Workspace, params: Params) -> Response:
    path = params["path"].rstrip("/")
    directory = _directory(workspace, path)
    if path.count("/") < 5:
        raise InvalidParameterValue(f"{path} is a volume; delete it with Unity Catalog.")
    if any(directory.iterdir()):
        raise VolumeDirectoryNotEmpty(f"The directory {path} is not empty.")
    directory.rmdir()
    return Response(status_code=204)


def _local(request: Request) -> Path:
    local: Path = request.app.state.workspace.volumes.resolve(request.path_params["path"])
    return local


def _directory(workspace: Workspace, path: str) -> Path:
    directory = workspace.volumes.resolve(path)
    if not directory.is_dir():
        raise ResourceDoesNotExist(f"The directory {path} does not exist.")
    return directory


async def _receive(request: Request, target: Path, overwrite: bool) -> None:
    """Stream the body beside the volumes and move it into place when all of it is there."""
    uploads = request.app.state.workspace.volumes.uploads
    with tempfile.NamedTemporaryFile(dir=uploads, delete_on_close=False) as temporary:
        async for chunk in request.stream():
            await asyncio.to_thread(temporary.write, chunk)
        temporary.close()
        # A link fails where a file has appeared meanwhile, a rename would replace it.
        (os.replace if overwrite else os.link)(temporary.name, target)


def _make_directory(directory: Path, path: str) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ResourceConflict(f"{path} cannot be created: a part of its path is a file.") from None


def _require_unmodified(request: Request, path: str, file: Path) -> None:
    """So that a download that is resumed or made in parts never mixes two contents."""
    since = request.headers.get("if-unmodified-since")
    if since is None:
        return
    try:
        limit = parsedate_to_datetime(since).timestamp()
    except ValueError:
        raise InvalidParameterValue(f"If-Unmodified-Since is not a date: '{since}'.") from None
    if int(file.stat().st_mtime) > limit:
        raise FileModifiedError(f"The file {path} has been modified since {since}.")


def _directory_entry(path: str, entry: Path) -> dict[str, Any]:
    status = entry.lstat()
    shown = {"path": path, "name": entry.name, "last_modified": status.st_mtime_ns // 1_000_000}
    if entry.is_dir():
        return {**shown, "is_directory": True}
    return {**shown, "is_directory": False, "file_size": status.st_size}


routes = [
    raw_endpoint("PUT", FILES, upload_file, MAX_FILE),
    raw_endpoint("GET", FILES, download_file, MAX_JSON_BODY),
    file_endpoint("DELETE", FILES, delete_file),
    endpoint("POST", FILES, start_multipart_upload),
    endpoint("POST", "/api/2.0/fs/create-upload-part-urls", refuse_presigned_url),
    endpoint("POST", "/api/2.0/fs/create-download-url", refuse_presigned_url),
    endpoint("POST", "/api/2.0/fs/create-abort-upload-url", abort_upload_url),
    endpoint("DELETE", NO_UPLOAD, abort_nothing),
    file_endpoint("GET", DIRECTORIES, list_directory),
    file_endpoint("PUT", DIRECTORIES, make_directory),
    file_endpoint("DELETE", DIRECTORIES, delete_directory),
]
"""HEAD is answered as GET without the body."""
