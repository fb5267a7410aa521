"""From where to where rows reach, as literals: they spare an engine the files of a table beyond.

A join with the rows themselves says the same, but an engine reads the table before it knows.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.schemas import literal


def span(rows: DataFrame, columns: Iterable[str], of: str = "") -> str:
    """A SQL condition on these columns, all texts or integers; `of` goes before their names, as in `old.`."""
    names = list(columns)
    found = rows.agg(*(edge(name) for name in names for edge in (F.min, F.max))).first()
    assert found is not None
    if found[0] is None:
        return "false"
    edges = [literal(edge) if isinstance(edge, str) else str(edge) for edge in found]
    return " AND ".join(
        f"{of}{name} BETWEEN {low} AND {high}"
        for name, low, high in zip(names, edges[::2], edges[1::2], strict=True)
    )
