"""Whether a landed file is a CSV that bronze can take, decided before any engine reads it.

Engines differ in what they make of a broken CSV: cells that are dropped, shifted or replaced. So none sees one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from renewables.errors import BrokenFile
from renewables.sources import Header, parse_header

BLOCK_BYTES = 1024 * 1024
"""How much is read at once; a row has to be shorter."""


def inspect(path: Path, name: str) -> Header:
    """The header of a file that has at least one row and as many cells in each as in its header.

    The memory used does not depend on the size. Raises UnexpectedHeader and BrokenFile, which call
    the file `name`.
    """
    if path.stat().st_size == 0:
        raise BrokenFile(f"{name} is empty. Extract it again when it has some rows.")
    header = read_header(path, name)
    _refuse_nul(path, name)
    try:
        rows = sum(batch.num_rows for batch in _batches(path, len(header.columns)))
    except pa.ArrowInvalid as error:
        raise BrokenFile(_explain(name, str(error))) from error
    if rows == 1:
        raise BrokenFile(f"{name} has a header and no rows. Extract it again when it has some.")
    return header


def read_header(path: Path, name: str) -> Header:
    """The header in the file's first line. Raises as sources.parse_header does."""
    with path.open("rb") as stream:
        return parse_header(stream.readline(BLOCK_BYTES), name)


def _batches(path: Path, columns: int) -> Iterator[pa.RecordBatch]:
    """All lines, the header too, as text: whatever is no UTF-8 or has other cells raises ArrowInvalid."""
    names = [str(number) for number in range(columns)]
    reader: Iterator[pa.RecordBatch] = csv.open_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return reader


def _refuse_nul(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(BLOCK_BYTES), b""):
            if b"\0" in chunk:
                raise BrokenFile(f"{name} has a NUL byte: it is binary or damaged. Save it as CSV.")


def _explain(name: str, problem: str) -> str:
    if "straddl" in problem or "out of sync" in problem:
        problem = f"a quote that is not closed, or a row of more than {BLOCK_BYTES} bytes"
    # Arrow repeats the row, which may be long.
    return f"{name} is a broken CSV: {problem[:300]}. Correct it at the source."
