"""Cells that are not Python: %sql, %md, %sh, %run, %fs. https://docs.databricks.com/notebooks/notebooks-code"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local_workspace.runtime.commands import execute
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
    statements = split(cell.code)
    for statement in statements:
        bound = bind(statement, parameters)
        frame = execute.sql(session(), notebook.with_local_paths(bound))
        notebook.names["_sqldf"] = frame
    if statements and returns_rows(statements[-1]):
        notebook.outputs.add(render(frame))


def _nothing(_cell: Cell, _: Notebook) -> None:
    """Text for the reader, or a cell that is to be skipped."""


def _shell(cell: Cell, _: Notebook) -> None:
    """Runs the cell in bash; its exit code counts only with `%sh -e`."""
    stops_at_error = cell.code.startswith("-e")
    code = _bash(cell.code.removeprefix("-e"), *(["-e"] if stops_at_error else []))
    if stops_at_error and code:
        raise subprocess.CalledProcessError(code, "%sh -e")


def run_command(command: str) -> None:
    """What `!command` does."""
    _bash(command)


def _bash(script: str, *options: str) -> int:
    command = ["bash", *options, "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as shell:
        assert shell.stdout is not None
        for line in shell.stdout:
            sys.stdout.write(line)
    return shell.returncode


def _run(cell: Cell, notebook: Notebook) -> None:
    """Runs another notebook in this one's names; `$name="value"` gives its widgets values."""
    path, *arguments = shlex.split(cell.code) or [""]
    values = dict(_argument(word) for word in arguments)
    notebook.names["dbutils"].widgets.assume(values)
    file = _notebook_file(path, notebook)
    source = file.read_text()
    language = "SQL" if source.startswith("--") else "PYTHON"
    with notebook.included(str(file)):
        for included in parse(source, language):
            notebook.run_cell(included, source)


def _argument(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not name.startswith("$") or not equals:
        raise ValueError(f'%run takes a path and $name="value" pairs, got {word!r}.')
    return name.removeprefix("$"), value


def _notebook_file(path: str, notebook: Notebook) -> Path:
    """The file of a notebook, which in the workspace has no extension; FileNotFoundError."""
    base = notebook.local_path(path)
    for candidate in (base, base.with_name(f"{base.name}.py"), base.with_name(f"{base.name}.sql")):
        if candidate.is_file():
            return candidate.resolve()
    raise FileNotFoundError(f"%run {path}: there is no such notebook in {notebook.folder}.")


def _file_system(cell: Cell, notebook: Notebook) -> None:
    """Calls `dbutils.fs`: `%fs ls /Volumes/main`, `%fs rm -r …`."""
    command, *words = shlex.split(cell.code) or ["help"]
    recurse = {"recurse": True} if {"-r", "--recurse"} & set(words) else {}
    arguments = [word for word in words if not word.startswith("-")]
    value = getattr(notebook.names["dbutils"].fs, command)(*arguments, **recurse)
    if value is not None:
        notebook.outputs.add(render(value))


_MAGICS = {
    "sql": _sql,
    "md": _nothing,
    "md-sandbox": _nothing,
    "skip": _nothing,
    "sh": _shell,
    "run": _run,
    "fs": _file_system,
}
