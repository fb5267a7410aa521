"""Few rows, computed once however often they are used."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

MOST_ROWS = 10_000


@dataclass(frozen=True)
class Rows:
    """What a query gives; `table` are the rows themselves where they are at most MOST_ROWS, else None."""

    frame: DataFrame
    table: pa.Table | None = None

    @property
    def is_empty(self) -> bool:
        return self.frame.isEmpty() if self.table is None else not self.table.num_rows


def small(rows: DataFrame, schema: StructType) -> Rows:
    """The rows as literals, so that no engine computes them again at each use; unchanged where there are many.

    They get the columns of the schema; to name it spares asking the engine. Many rows would be a burden
    for this process' memory, and computing them is not what takes the time then. Caching would do the
    same, but Databricks' serverless compute has none:
    https://docs.databricks.com/compute/serverless/limitations
    """
    table = rows.to(schema).limit(MOST_ROWS + 1).toArrow()
    if table.num_rows > MOST_ROWS:
        return Rows(rows)
    if not table.num_rows:
        # There are no literals without rows.
        return Rows(rows.where("false"), table)
    # Without the columns' comments, which Sail would miss in what it plans for literals.
    plain = pa.schema([(field.name, field.type) for field in table.schema])
    return Rows(rows.sparkSession.createDataFrame(table.cast(plain)), table)
