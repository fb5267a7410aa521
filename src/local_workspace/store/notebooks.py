"""Which uploaded files are notebooks, and their source.

A file is a notebook if its first line says so, or if it is a Jupyter notebook; in the workspace it has no extension.
https://docs.databricks.com/en/notebooks/notebook-format.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from local_workspace.errors import InvalidParameterValue

JUPYTER_EXTENSION = ".ipynb"
_COMMENTS = {".py": "#", ".sql": "--", ".scala": "//", ".r": "#"}
_LANGUAGES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
LANGUAGES = frozenset(_LANGUAGES.values())


@dataclass(frozen=True)
class Notebook:
    """A notebook as the workspace has it: its path without extension, and its source form."""

    path: str
    language: str
    source: str


@dataclass(frozen=True)
class Upload:
    """What an uploaded file becomes: a notebook in `language`, or a file where that is None."""

    path: str
    language: str | None = None
    is_jupyter: bool = False


def classify(path: str, content: Path, format: str, language: str | None) -> Upload:
    """What `content` becomes; a notebook that is recognised by its extension loses it."""
    if format == "RAW":
        return Upload(path)
    if format == "JUPYTER":
        return Upload(path.removesuffix(JUPYTER_EXTENSION), "PYTHON", is_jupyter=True)
    if language is not None:
        return Upload(path, language)
    detected = detect_language(path, content)
    if detected is None:
        return Upload(path)
    return Upload(without_extension(path), detected, path.endswith(JUPYTER_EXTENSION))


def detect_language(path: str, content: Path) -> str | None:
    """The language of the notebook that `content` is under the name of `path`; None for any other file."""
    extension = PurePosixPath(path).suffix
    if extension == JUPYTER_EXTENSION:
        return "PYTHON"
    language = _LANGUAGES.get(extension.lower())
    if language is None or _first_line(content) != header(language):
        return None
    return language


def without_extension(path: str) -> str:
    """Where the notebook that is uploaded to `path` is in the workspace."""
    return path.removesuffix(PurePosixPath(path).suffix)


def header(language: str) -> str:
    """The first line of a notebook's source in `language`."""
    extension = next(key for key, value in _LANGUAGES.items() if value == language)
    return f"{_COMMENTS[extension]} Databricks notebook source"


def to_source(upload: Upload, content: bytes) -> bytes:
    """The source form of a notebook: from Jupyter's form, and with the header."""
    assert upload.language is not None
    if upload.is_jupyter:
        return _jupyter_to_source(upload.path, content)
    first = header(upload.language).encode()
    return content if content.startswith(first) else first + b"\n" + content


def _jupyter_to_source(path: str, content: bytes) -> bytes:
    try:
        cells = json.loads(content)["cells"]
        blocks = [_cell(cell) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameterValue(f"{path} is not a Jupyter notebook: {error}") from error
    return "\n".join([header("PYTHON"), "\n\n# COMMAND ----------\n\n".join(blocks), ""]).encode()


def _cell(cell: dict[str, Any]) -> str:
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    magic = "" if cell["cell_type"] == "code" else "%md\n"
    if not magic and not text.startswith("%"):
        return text
    return "\n".join(f"# MAGIC {line}" for line in (magic + text).splitlines())


def _first_line(content: Path) -> str:
    with content.open("rb") as file:
        return file.readline(64).decode(errors="replace").rstrip("\r\n")
