"""Runs a notebook: its cells one after the other, each with what it shows."""

from __future__ import annotations

import ast
import contextlib
import linecache
import sys
import types
from collections.abc import Iterator
from typing import Any

from local_workspace.runtime import magics
from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.dbutils import NotebookExit
from local_workspace.runtime.failure import describe
from local_workspace.runtime.namespace import make_namespace
from local_workspace.runtime.notebook_source import Cell, parse
from local_workspace.runtime.outputs import CellOutputs, Tee, figure_output, open_figures, render


def run(spec: Message, channel: Channel) -> str | None:
    """The value given to `dbutils.notebook.exit`, if any."""
    outputs = CellOutputs()
    notebook = Notebook(
        spec["name"], make_namespace(spec, channel, outputs.add), outputs, spec.get("cwd")
    )
    channel.send("started")
    with _copied_streams(outputs):
        for cell in parse(spec["source"], spec.get("language") or "PYTHON"):
            try:
                notebook.run_cell(cell, spec["source"])
            except NotebookExit:
                _send(channel, cell, outputs)
                raise
            except BaseException as error:
                outputs.add({"type": "error", "data": describe(error)[1]})
                _send(channel, cell, outputs)
                raise
            _send(channel, cell, outputs)
    return None


class Notebook:
    """A notebook's state: the names that its cells share."""

    def __init__(
        self, path: str, names: dict[str, Any], outputs: CellOutputs, folder: str | None
    ) -> None:
        # In __main__, so that functions of the notebook are sent to Spark by value.
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.names = module.__dict__
        self.names.update(names)
        self.path = path
        self.folder = folder
        self.outputs = outputs

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
        linecache.cache[self.path] = (
            len(source),
            None,
            source.splitlines(keepends=True),
            self.path,
        )
        code = "\n" * (cell.first_line - 1) + cell.code
        body = compile(code, self.path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        assert isinstance(body, ast.Module)
        last = body.body[-1] if body.body else None
        if isinstance(last, ast.Expr):
            body.body.pop()
        exec(compile(body, self.path, "exec", dont_inherit=True), self.names)
        if isinstance(last, ast.Expr):
            expression = ast.Expression(last.value)
            value = eval(compile(expression, self.path, "eval", dont_inherit=True), self.names)
            if value is not None:
                self.outputs.add(self._result(value))

    def _result(self, value: object) -> dict[str, Any]:
        # Databricks shows a Spark DataFrame's rows only when it is displayed, and quotes strings.
        is_plain = isinstance(value, str) or hasattr(value, "sparkSession")
        return {"type": "text", "data": repr(value)} if is_plain else render(value)


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
