"""From where to where rows reach, as literals: they spare an engine the files of a table beyond.

A join with the rows themselves says the same, but an engine reads the table before it knows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import functions as F

from renewables.schemas import literal
from renewables.staging import Rows


@dataclass(frozen=True)
class Span:
    """The least and the greatest value of each column, all texts or integers; no columns where there are no rows."""

    edges: dict[str, tuple[str | int, str | int]]

    @classmethod
    def of(cls, rows: Rows, columns: Collection[str]) -> Span:
        edges = _edges(rows, columns)
        return cls({name: edge for name, edge in edges.items() if edge[0] is not None})

    def condition(self, columns: Collection[str], of: str = "") -> str:
        """Whether a row is within, in SQL; `of` goes before the columns' names, as in `old.`."""
        if not self.edges:
            return "false"
        return " AND ".join(f"{of}{name} BETWEEN {self._literals(name)}" for name in columns)

    def _literals(self, column: str) -> str:
        texts = (literal(e) if isinstance(e, str) else str(e) for e in self.edges[column])
        return " AND ".join(texts)


def _edges(rows: Rows, columns: Collection[str]) -> dict[str, tuple[str | int, str | int]]:
    if rows.table is not None:
        values = {name: rows.table[name].to_pylist() for name in columns}
        return {name: (min(some), max(some)) for name, some in values.items() if some}
    row = rows.frame.agg(*(edge(name) for name in columns for edge in (F.min, F.max))).first()
    assert row is not None
    return dict(zip(columns, zip(row[::2], row[1::2], strict=True), strict=True))
