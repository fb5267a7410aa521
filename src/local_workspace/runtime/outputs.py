"""What a task shows: `display(...)`, figures and printed text, as outputs of a notebook's cell."""

from __future__ import annotations

import base64
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

import pandas as pd
from pyspark.sql import DataFrame

from local_workspace.runtime.result_set import fetch

MAX_ROWS = 1000
"""Databricks shows at most 10,000 rows or 2 MB; a page of the local workspace shows fewer."""
MAX_BYTES = 4 * 1024 * 1024
"""Of a cell's text, and of one figure, table or piece of HTML; what exceeds it is left out, and the output says so."""
MAX_NOTEBOOK_BYTES = 32 * 1024 * 1024
"""Of all that a notebook shows, which is kept with its run."""
LEFT_OUT = "*** more is left out here; all that was printed is in the log ***\n"

Output = dict[str, Any]
Sink = Callable[[Output], None]


class CellOutputs:
    """The outputs of the cell that runs, in order, as far as there is room for them."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []
        self._room = MAX_NOTEBOOK_BYTES
        self._text_room = MAX_BYTES
        self._is_full = False

    def add(self, output: Output) -> None:
        is_text, size = output["type"] == "text", _size(output)
        room = min(self._room, self._text_room) if is_text else self._room
        if size > room and output["type"] != "error":
            self._is_full = True
            return
        self._outputs.append(output)
        self._room -= size
        self._text_room -= size if is_text else 0

    def take(self) -> list[Output]:
        """The outputs so far, adjacent texts as one; the next cell starts with none."""
        if self._is_full:
            self._outputs.append(text_output(LEFT_OUT))
        grouped = itertools.groupby(self._outputs, lambda output: output["type"] == "text")
        taken = [output for is_text, group in grouped for output in _merged(is_text, group)]
        self._outputs, self._text_room, self._is_full = [], MAX_BYTES, False
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
    if _is_table(value):
        return _pandas_table(pd.DataFrame(value))
    if _is_figure(value):
        return figure_output(value)
    if (html := _html_of(value)) is not None:
        return html_output(html)
    return text_output(value if isinstance(value, str) else repr(value))


def text_output(text: str) -> Output:
    return {"type": "text", "data": text}


def html_output(html: str) -> Output:
    if len(html) > MAX_BYTES:
        return text_output(
            f"HTML of {len(html)} characters is not shown; the limit is {MAX_BYTES}."
        )
    return {"type": "html", "data": html}


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


def _is_table(value: object) -> bool:
    """Whether it is a list of named tuples, as `dbutils.fs.ls` gives it, or of Rows."""
    return isinstance(value, list) and bool(value) and all(map(_is_row, value))


def _is_row(value: object) -> bool:
    return isinstance(value, tuple) and (hasattr(value, "_fields") or hasattr(value, "__fields__"))


def _html_of(value: object) -> str | None:
    """What the value says of itself to a notebook; plotly and others have the whole bundle only."""
    for name in ("_repr_html_", "_repr_mimebundle_"):
        if isinstance(value, type) or not callable(describe := getattr(value, name, None)):
            continue
        html = describe()
        if isinstance(html, dict):
            html = html.get("text/html")
        if html is not None:
            return str(html)
    return None


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
    kept = list(_within(rows, MAX_BYTES))
    data = {"columns": columns, "rows": kept, "truncated": truncated or len(kept) < len(rows)}
    return {"type": "table", "data": data}


def _within(rows: Iterable[list[str | None]], size: int) -> Iterator[list[str | None]]:
    """The first rows that have together at most so many characters."""
    for row in rows:
        size -= sum(len(value or "") for value in row)
        if size < 0:
            return
        yield row


def _size(output: Output) -> int:
    data = output["data"]
    if isinstance(data, str):
        return len(data)
    return sum(len(value or "") for row in data["rows"] for value in row)


def _merged(is_text: bool, outputs: Iterable[Output]) -> list[Output]:
    if not is_text:
        return list(outputs)
    return [text_output("".join(output["data"] for output in outputs))]
