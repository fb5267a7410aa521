"""Results as files, one per chunk, for the disposition EXTERNAL_LINKS of the Statement Execution API.

https://docs.databricks.com/api/workspace/statementexecution/executestatement
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from local_workspace.runtime.result_set import ResultSet, text_rows

CHUNK_BYTES = 16 * 1024 * 1024
"""Of a chunk's values in memory; a row is never split."""


def write(
    result: ResultSet, folder: str, format: str, byte_limit: int | None
) -> tuple[list[tuple[int, int]], bool]:
    """Write the files `0`, `1`, ... to `folder`, and answer with (row count, size in bytes) of each.

    The second value tells whether `byte_limit`, counted in memory, has cut the result.
    """
    table = _within(result.table, byte_limit)
    sizes = []
    for index, chunk in enumerate(_chunks(table)):
        path = Path(folder, str(index))
        path.parent.mkdir(parents=True, exist_ok=True)
        match format:
            case "ARROW_STREAM":
                _write_arrow(chunk, path)
            case "CSV":
                _write_csv(chunk, path, header=index == 0)
            case _:
                _write_json(chunk, path)
        sizes.append((chunk.num_rows, path.stat().st_size))
    return sizes, table.num_rows < result.table.num_rows


def _within(table: pa.Table, byte_limit: int | None) -> pa.Table:
    if byte_limit is None or table.nbytes <= byte_limit:
        return table
    return table.slice(0, table.num_rows * byte_limit // table.nbytes)


def _chunks(table: pa.Table) -> Iterator[pa.Table]:
    """Parts of about `CHUNK_BYTES` each."""
    if table.num_rows == 0:
        return
    size = max(1, table.num_rows * CHUNK_BYTES // max(table.nbytes, 1))
    for start in range(0, table.num_rows, size):
        yield table.slice(start, size)


def _write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table)


def _write_csv(table: pa.Table, path: Path, *, header: bool) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(table.column_names)
        writer.writerows(
            ["null" if value is None else value for value in row] for row in text_rows(table)
        )


def _write_json(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(text_rows(table), file, ensure_ascii=False, separators=(",", ":"))
