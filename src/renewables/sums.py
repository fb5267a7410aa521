"""The shares of hydro, solar and wind together."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.newest import KEY

GROUP = ("entity", "year")


def totals(rows: DataFrame, held: DataFrame | None) -> DataFrame:
    """`total_percent` per entity and year that the rows concern, once they have joined the rows `held`.

    Both have the columns of silver, and one row per key; a row replaces the held one of its key.
    """
    together = rows.select(*KEY, "percent")
    if held is not None:
        together = together.unionByName(_others(rows, held))
    return together.groupBy(*GROUP).agg(F.sum("percent").alias("total_percent"))


def _others(rows: DataFrame, held: DataFrame) -> DataFrame:
    # Computed columns have no comments; Sail fails on a union of columns that have some with literal rows.
    columns = (F.coalesce(name, name).alias(name) for name in (*KEY, "percent"))
    return (
        held.select(*columns)
        .join(rows.select(*GROUP).distinct(), [*GROUP], "left_semi")
        .join(rows.select(*KEY), [*KEY], "left_anti")
    )
