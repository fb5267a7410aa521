"""Runs a notebook: its cells one after the other, each with what it shows."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.machinery
import inspect
import linecache
import posixpath
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from local_workspace.paths import to_local
from local_workspace.runtime import ipython, magics
from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.dbutils import PythonRestart
from local_workspace.runtime.failure import describe
from local_workspace.runtime.namespace import make_namespace
from local_workspace.runtime.notebook_runs import NotebookExit
from local_workspace.runtime.notebook_source import Cell, parse
from local_workspace.runtime.outputs import CellOutputs, Tee, figure_output, open_figures, render


def run(spec: Message, channel: Channel) -> str | None:
    """The value given to `dbutils.notebook.exit`, if any."""
    notebook = Notebook(spec, channel)
    channel.send("started")
    with _copied_streams(notebook.outputs):
        for cell in parse(spec["source"], spec.get("language") or "PYTHON"):
            try:
                notebook.run_cell(cell, spec["source"])
            except PythonRestart:
                notebook.restart()
            except NotebookExit:
                _send(channel, cell, notebook.outputs)
                raise
            except BaseException as error:
                notebook.outputs.add({"type": "error", "data": describe(error)[1]})
                _send(channel, cell, notebook.outputs)
                raise
            _send(channel, cell, notebook.outputs)
    return None


class Notebook:
    """A notebook's state: where it is, and the names that its cells share.

    `path` and `folder` are those on this machine of the notebook whose cells run, `workspace_folder` is the folder of
    the one that was started, as the workspace has it.
    """

    def __init__(self, spec: Message, channel: Channel) -> None:
        self.path: str = spec["name"]
        self.folder: str | None = spec.get("cwd")
        self.workspace_folder = posixpath.dirname(spec["name"])
        self.outputs = CellOutputs()
        self._mounts: str | None = spec.get("mounts")
        self._given_names = make_namespace(spec, channel, self.outputs.add)
        self._given_packages = {_package(name) for name in sys.modules}
        self._begin()

    def _begin(self) -> None:
        # In __main__, so that functions of the notebook are sent to Spark by value.
        self.module = sys.modules["__main__"] = types.ModuleType("__main__")
        self.names = self.module.__dict__
        self.names.update(self._given_names, get_ipython=self._get_shell)
        self._shell: InteractiveShell | None = None

    def _get_shell(self) -> InteractiveShell:
        if self._shell is None:
            self._shell = ipython.make_shell(self, magics.run_command)
        return self._shell

    def restart(self) -> None:
        """Forget the cells' names, and the packages that they imported."""
        # A module in machine code cannot be loaded twice into a process.
        machine_code = {_package(n) for n, module in sys.modules.items() if _is_extension(module)}
        for name in list(sys.modules):
            if _package(name) not in self._given_packages | machine_code:
                del sys.modules[name]
        self._begin()

    @contextlib.contextmanager
    def included(self, file: str) -> Iterator[None]:
        """While the cells of another notebook run in this one's names."""
        path, folder = self.path, self.folder
        self.path, self.folder = file, str(Path(file).parent)
        try:
            yield
        finally:
            self.path, self.folder = path, folder

    def local_path(self, path: str) -> Path:
        """Where a path of the workspace, or one beside this notebook, is on this machine."""
        if path.startswith("/") and self._mounts is not None:
            return Path(self._mounts, "Workspace", path.removeprefix("/Workspace/").lstrip("/"))
        return Path(self.folder or "/", path)

    def with_local_paths(self, sql: str) -> str:
        """The statement with the mounted paths in it as paths of this machine, which the engine opens."""
        return sql if self._mounts is None else to_local(sql, Path(self._mounts))

    def run_cell(self, cell: Cell, source: str) -> None:
        """Run one cell of the notebook whose text is `source`."""
        if cell.language == "python":
            self._run_python(cell, source)
        else:
            magics.run(cell, self)
        for figure in open_figures():
            self.outputs.add(figure_output(figure))

    def _run_python(self, cell: Cell, source: str) -> None:
        # A traceback shows the notebook's own lines.
        lines = source.splitlines(keepends=True)
        linecache.cache[self.path] = (len(source), None, lines, self.path)
        code = "\n" * (cell.first_line - 1) + ipython.to_python(cell.code)
        body = compile(code, self.path, "exec", _FLAGS | ast.PyCF_ONLY_AST, dont_inherit=True)
        assert isinstance(body, ast.Module)
        last = body.body[-1] if body.body else None
        if isinstance(last, ast.Expr):
            body.body.pop()
        self._evaluate(compile(body, self.path, "exec", _FLAGS, dont_inherit=True))
        if isinstance(last, ast.Expr):
            expression = ast.Expression(last.value)
            value = self._evaluate(
                compile(expression, self.path, "eval", _FLAGS, dont_inherit=True)
            )
            if value is not None:
                self.outputs.add(self._result(value))

    def _evaluate(self, code: types.CodeType) -> Any:
        value = eval(code, self.names)
        return asyncio.run(value) if code.co_flags & inspect.CO_COROUTINE else value

    def _result(self, value: object) -> dict[str, Any]:
        # Databricks shows a Spark DataFrame's rows only when it is displayed, and quotes strings.
        is_plain = isinstance(value, str) or hasattr(value, "sparkSession")
        return {"type": "text", "data": repr(value)} if is_plain else render(value)


_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is_extension(module: types.ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    return file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


def _send(channel: Channel, cell: Cell, outputs: CellOutputs) -> None:
    channel.send(
        "cell",
        index=cell.index,
        language=cell.language,
        title=cell.title,
        source=cell.text,
        outputs=outputs.take(),
    )


@contextlib.contextmanager
def _copied_streams(outputs: CellOutputs) -> Iterator[None]:
    """What is printed goes to the task's log and to the cell."""
    with (
        contextlib.redirect_stdout(Tee(sys.stdout, outputs.add)),
        contextlib.redirect_stderr(Tee(sys.stderr, outputs.add)),
    ):
        yield
