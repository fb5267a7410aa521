"""`2.0/workspace/export`: files, notebooks as source or in Jupyter's form, directories as zip archives.

https://docs.databricks.com/api/workspace/workspace/export
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import FileResponse, Response

from local_workspace.api.endpoint import Params
from local_workspace.errors import FeatureDisabled
from local_workspace.runtime.notebook_source import Cell, parse
from local_workspace.store import archives, regular_files
from local_workspace.store.notebooks import Notebook
from local_workspace.store.workspace_files import (
    DIRECTORY,
    MAX_NOTEBOOK,
    NOTEBOOK,
    NotebookTooLarge,
    WorkspaceObject,
)

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

FORMATS = ("AUTO", "SOURCE", "RAW", "JUPYTER")
_EXTENSIONS = {"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}


def export(workspace: Workspace, params: Params) -> dict[str, Any] | Response:
    """The content: the bytes with `direct_download`, else base64 in JSON; of a directory a zip archive."""
    format = params.text("format", "SOURCE")
    check_format(format, FORMATS)
    found = workspace.files.get(params.required_text("path"))
    if found.object_type == DIRECTORY:
        content: bytes | Path = _archive(workspace, found, format)
    elif found.object_type == NOTEBOOK and format == "JUPYTER":
        content = _to_jupyter(workspace.files.notebook(found.path))
    else:
        content = workspace.files.local_file(found.path)
    if params.boolean("direct_download"):
        return _download(content)
    return {"content": _base64(found.path, content), "file_type": _file_type(found, format)}


def check_format(asked: str, supported: tuple[str, ...]) -> None:
    if asked not in supported:
        raise FeatureDisabled(
            f"The local workspace has no format {asked}; it has {', '.join(supported)}."
        )


def _archive(workspace: Workspace, directory: WorkspaceObject, format: str) -> bytes:
    """A zip archive of the directory's notebooks and, as AUTO, of its files too."""
    check_format(format, ("AUTO", "SOURCE"))
    files = [
        (f"{found.path.removeprefix(directory.path)[1:]}{_extension(found)}", local)
        for found in workspace.files.walk(directory.path)
        if format == "AUTO" or found.object_type == NOTEBOOK
        for local in (workspace.files.local_file(found.path),)
    ]
    _require_size(directory.path, sum(local.stat().st_size for _, local in files))
    with workspace.files.unpacking() as folder:
        archives.pack(files, folder / "archive.zip")
        return (folder / "archive.zip").read_bytes()


def _download(content: bytes | Path) -> Response:
    if isinstance(content, Path):
        return FileResponse(content, media_type="application/octet-stream")
    return Response(content, media_type="application/octet-stream")


def _base64(path: str, content: bytes | Path) -> str:
    if isinstance(content, Path):
        _require_size(path, content.stat().st_size)
        content = regular_files.read(content)
    return base64.b64encode(content).decode()


def _require_size(path: str, size: int) -> None:
    if size > MAX_NOTEBOOK:
        raise NotebookTooLarge(
            f"{path} has {size} bytes; at most {MAX_NOTEBOOK} are exported this way. "
            "Get a file with direct_download, a folder file by file."
        )


def _extension(found: WorkspaceObject) -> str:
    return f".{_EXTENSIONS[found.language]}" if found.language else ""


def _file_type(found: WorkspaceObject, format: str) -> str:
    if found.object_type == DIRECTORY:
        return "zip"
    if found.object_type == NOTEBOOK and format == "JUPYTER":
        return "ipynb"
    return _EXTENSIONS.get(found.language or "", "file")


def _to_jupyter(notebook: Notebook) -> bytes:
    """The notebook without outputs; a cell in another language keeps its magic.

    https://nbformat.readthedocs.io/en/latest/format_description.html
    """
    cells = parse(notebook.source, notebook.language)
    document = {
        "cells": [_cell(cell) for cell in cells],
        "metadata": {"language_info": {"name": notebook.language.lower()}},
        "nbformat": 4,
        "nbformat_minor": 0,
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _cell(cell: Cell) -> dict[str, Any]:
    if cell.language == "md":
        text = cell.text.removeprefix("%md").lstrip()
        return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": cell.text.splitlines(keepends=True),
    }
