"""What a task shows: `display(...)`, figures and printed text, as outputs of a notebook's cell."""

from __future__ import annotations

import base64
import io
import itertools
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import pandas as pd
from pyspark.sql import DataFrame

from local_workspace.runtime.result_set import fetch

MAX_ROWS = 1000
"""Databricks shows at most 10,000 rows or 2 MB; a page of the local workspace shows fewer."""
MAX_BYTES = 4 * 1024 * 1024
"""Of a cell's text and of one figure; what exceeds it is left out, and the output says so."""

Output = dict[str, Any]
Sink = Callable[[Output], None]


class CellOutputs:
    """The outputs of the cell that runs, in order."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []
        self._text_size = 0

    def add(self, output: Output) -> None:
        is_text = output["type"] == "text"
        self._text_size += len(output["data"]) if is_text else 0
        if not is_text or self._text_size <= MAX_BYTES:
            self._outputs.append(output)

    def take(self) -> list[Output]:
        """The outputs so far, adjacent texts as one; the next cell starts with none."""
        if self._text_size > MAX_BYTES:
            self._outputs.append(text_output("*** more text is only in the log ***\n"))
        grouped = itertools.groupby(self._outputs, lambda output: output["type"] == "text")
        taken = [output for is_text, group in grouped for output in _merged(is_text, group)]
        self._outputs, self._text_size = [], 0
        return taken


class Tee:
    """A text stream that also goes to the cell's outputs."""

    def __init__(self, stream: TextIO, sink: Sink) -> None:
        self._stream = stream
        self._sink = sink

    def write(self, text: str) -> int:
        self._sink(text_output(text))
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def print_output(output: Output) -> None:
    """Where there are no cells, what is displayed is printed."""
    if output["type"] == "table":
        names = [column["name"] for column in output["data"]["columns"]]
        print(pd.DataFrame(output["data"]["rows"], columns=names).to_string(index=False))
    elif output["type"] == "image":
        print("A figure is shown only by a notebook; save it to a file instead.")
    else:
        print(output["data"])


def render(value: object) -> Output:
    """The value as an output: {"type": "table" | "image" | "html" | "text", "data": ...}."""
    if isinstance(value, DataFrame):
        return _spark_table(value)
    if isinstance(value, pd.DataFrame):
        return _pandas_table(value)
    if _is_figure(value):
        return figure_output(value)
    if hasattr(value, "_repr_html_") and (html := value._repr_html_()) is not None:
        return {"type": "html", "data": html}
    return text_output(value if isinstance(value, str) else repr(value))


def text_output(text: str) -> Output:
    return {"type": "text", "data": text}


def figure_output(figure: Any) -> Output:
    """The figure as a base64-encoded PNG; it is closed, so that it is shown once."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(figure)
    if png.tell() > MAX_BYTES:
        return text_output(
            f"A figure of {png.tell()} bytes is not shown; the limit is {MAX_BYTES}."
        )
    return {"type": "image", "data": base64.b64encode(png.getvalue()).decode()}


def open_figures() -> list[Any]:
    """The figures that user code has made with pyplot and not closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return [pyplot.figure(number) for number in pyplot.get_fignums()] if pyplot else []


def _is_figure(value: object) -> bool:
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(value, module.Figure)


def _spark_table(frame: DataFrame) -> Output:
    result = fetch(frame, MAX_ROWS)
    columns = [{"name": name, "type": text} for name, text, _ in result.columns]
    return _table(columns, result.rows, result.truncated)


def _pandas_table(frame: pd.DataFrame) -> Output:
    columns = [{"name": str(name), "type": str(kind)} for name, kind in frame.dtypes.items()]
    shown = frame.head(MAX_ROWS).astype(object)
    texts = shown.where(shown.notna(), None).to_numpy().tolist()
    rows = [[None if value is None else str(value) for value in row] for row in texts]
    return _table(columns, rows, len(frame) > MAX_ROWS)


def _table(columns: list[dict[str, str]], rows: list[list[str | None]], truncated: bool) -> Output:
    return {"type": "table", "data": {"columns": columns, "rows": rows, "truncated": truncated}}


def _merged(is_text: bool, outputs: Iterable[Output]) -> list[Output]:
    if not is_text:
        return list(outputs)
    return [text_output("".join(output["data"] for output in outputs))]
