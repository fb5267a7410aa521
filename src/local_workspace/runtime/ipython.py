"""IPython's own syntax in a notebook's Python cells: `!command`, `%magic`, `%%magic`.

Databricks runs notebooks with IPython (https://docs.databricks.com/notebooks/ipython-kernel). Here a cell is plain
Python until it has such syntax; then IPython's shell, on the notebook's names, does what the cell asks of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from local_workspace.runtime import pip
from local_workspace.runtime.outputs import Sink, text_output

if TYPE_CHECKING:
    from local_workspace.runtime.notebook import Notebook

_SYNTAX = re.compile(r"^[ \t]*[%!]|=[ \t]*[%!]|\?[ \t]*$", re.MULTILINE)


def to_python(code: str) -> str:
    """The cell as Python, line by line where it has no cell magic."""
    if not _SYNTAX.search(code):
        return code
    transformed: str = TransformerManager().transform_cell(code)  # type: ignore[no-untyped-call]
    return transformed


def make_shell(notebook: Notebook, run_command: Callable[[str], None]) -> InteractiveShell:
    """A shell on the notebook's names, which shows what it shows as the cell's outputs."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "NoColor"
    # The one instance is what IPython.display looks for; it cannot be given other names later.
    _Shell.clear_instance()
    shell = _Shell.instance(config=config, user_module=notebook.module, user_ns=notebook.names)
    shell.run_command = run_command
    shell.display_pub = _Publisher(notebook.outputs.add)
    for name, magic in _magics(notebook).items():
        shell.register_magic_function(magic, "line", name)
    return shell


def _magics(notebook: Notebook) -> dict[str, Any]:
    """The line magics that are Databricks' and not IPython's."""
    return {
        "pip": lambda line: pip.run(line, notebook.workspace_folder),
        "restart_python": lambda _: notebook.names["dbutils"].library.restartPython(),
        # Figures are shown where they are drawn in any case.
        "matplotlib": lambda _: None,
    }


class _Shell(InteractiveShell):
    run_command: Callable[[str], None]

    def system(self, cmd: str) -> None:
        self.run_command(cmd)


class _Publisher(DisplayPublisher):
    def __init__(self, sink: Sink) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sink = sink

    def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        """The richest form of what IPython displays."""
        if "image/png" in data:
            self._sink({"type": "image", "data": data["image/png"]})
        elif "text/html" in data:
            self._sink({"type": "html", "data": data["text/html"]})
        else:
            self._sink(text_output(f"{data.get('text/plain', '')}\n"))
