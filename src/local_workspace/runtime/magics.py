"""Cells that are not Python: %sql, %md, %sh, %run, %pip. https://docs.databricks.com/notebooks/notebooks-code"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from local_workspace.runtime.notebook_source import Cell, parse
from local_workspace.runtime.outputs import render
from local_workspace.runtime.session import session
from local_workspace.sql.parameters import Parameter, bind
from local_workspace.sql.script import returns_rows, split

if TYPE_CHECKING:
    from local_workspace.runtime.notebook import Notebook


def run(cell: Cell, notebook: Notebook) -> None:
    """Run a cell by its magic; NotImplementedError for one that the local workspace has not."""
    magic = _MAGICS.get(cell.language)
    if magic is None:
        known = ", ".join(f"%{name}" for name in ("python", *_MAGICS))
        raise NotImplementedError(
            f"%{cell.language} cells do not run in the local workspace; there are {known}."
        )
    magic(cell, notebook)


def _sql(cell: Cell, notebook: Notebook) -> None:
    """Runs each statement; the last one's result is shown and is `_sqldf`."""
    widgets = notebook.names["dbutils"].widgets.getAll()
    parameters = {name: Parameter(value) for name, value in widgets.items()}
    for statement in split(cell.code):
        frame = session().sql(bind(statement, parameters))
        notebook.names["_sqldf"] = frame
        last = statement
    if split(cell.code) and returns_rows(last):
        notebook.outputs.add(render(frame))


def _markdown(_cell: Cell, _: Notebook) -> None:
    """Text for the reader."""


def _shell(cell: Cell, _: Notebook) -> None:
    """Runs the cell in bash; its exit code counts only with `%sh -e`."""
    stops_at_error = cell.code.startswith("-e")
    script = cell.code.removeprefix("-e")
    command = ["bash", *(["-e"] if stops_at_error else []), "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as shell:
        assert shell.stdout is not None
        for line in shell.stdout:
            sys.stdout.write(line)
    if stops_at_error and shell.returncode:
        raise subprocess.CalledProcessError(shell.returncode, "%sh -e")


def _run(cell: Cell, notebook: Notebook) -> None:
    """Runs another notebook in this one's names."""
    found = re.fullmatch(r"\s*([\"']?)(?P<path>\S+)\1\s*", cell.code)
    if found is None:
        raise NotImplementedError(f"%run takes one path in the local workspace, got {cell.code!r}.")
    file = _notebook_file(found["path"], notebook.folder)
    source = file.read_text()
    language = "SQL" if source.startswith("--") else "PYTHON"
    path, folder = notebook.path, notebook.folder
    notebook.path, notebook.folder = str(file), str(file.parent)
    for included in parse(source, language):
        notebook.run_cell(included, source)
    notebook.path, notebook.folder = path, folder


def _notebook_file(path: str, folder: str | None) -> Path:
    """The file of a notebook, which in the workspace has no extension; FileNotFoundError."""
    base = Path(folder or "/", path)
    for candidate in (base, base.with_name(f"{base.name}.py"), base.with_name(f"{base.name}.sql")):
        if candidate.is_file():
            return candidate.resolve()
    raise FileNotFoundError(f"%run {path}: there is no such notebook in {folder}.")


def _pip(cell: Cell, _: Notebook) -> None:
    """Accepts `install` of what is there already; NotImplementedError for anything else."""
    command, *wanted = cell.code.split()
    missing = [text for text in wanted if not _is_installed(text)]
    if command != "install" or not wanted or missing:
        raise NotImplementedError(
            f"%pip {cell.code.strip()}: a notebook installs nothing in the local workspace. "
            f"Add what it needs ({', '.join(missing) or 'a package'}) to the task's libraries."
        )
    sys.stdout.writelines(f"Requirement already satisfied: {text}\n" for text in wanted)


def _is_installed(text: str) -> bool:
    try:
        requirement = Requirement(text.strip("\"'"))
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), True)
    except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
        return False


_MAGICS = {
    "sql": _sql,
    "md": _markdown,
    "sh": _shell,
    "run": _run,
    "pip": _pip,
}
