"""gold: sql/gold.sql in a Spark session, for where there is no SQL warehouse to run it."""

from __future__ import annotations

import re
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from renewables.errors import UnboundParameter
from renewables.schemas import Schema

GOLD = "gold_shw_share"
GOLD_SQL = Path(__file__).parents[2] / "sql" / "gold.sql"
"""In a checkout; the wheel does not have it, since the job's SQL task reads it from the workspace."""

_COMMENT = re.compile(r"--.*")
_TABLE = re.compile(r"IDENTIFIER\(:catalog \|\| '\.' \|\| :schema \|\| '\.(\w+)'\)")
_MARKER = re.compile(r":\w+")


def compute(spark: SparkSession, schema: Schema, sql: str) -> DataFrame:
    """Run the statements of gold.sql and return the gold table."""
    for statement in statements(sql, schema):
        spark.sql(statement)
    return spark.table(schema.table(GOLD))


def statements(sql: str, schema: Schema) -> list[str]:
    """The statements of gold.sql, with the schema's tables in place of its parameters.

    Not every engine takes a parameter within IDENTIFIER. Raises UnboundParameter if another one is left.
    """
    bound = _TABLE.sub(lambda found: schema.table(found[1]), _COMMENT.sub("", sql))
    if left := _MARKER.search(bound):
        raise UnboundParameter(
            f"gold.sql has the parameter {left[0]} where it names no table: write tables as "
            "IDENTIFIER(:catalog || '.' || :schema || '.<table>') and no other parameter."
        )
    return [text for statement in bound.split(";") if (text := statement.strip())]
