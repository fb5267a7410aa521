"""gold: which part of it is to be computed anew, and sql/gold.sql in a session, where no SQL warehouse runs it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.errors import UnboundParameter
from renewables.schemas import REVISIONS, Schema, Tables, literal
from renewables.silver import newer_than, watermark

GOLD = "gold_shw_share"
GOLD_SQL = Path(__file__).parents[2] / "sql" / "gold.sql"
"""In a checkout; the wheel does not have it, since the job's SQL task reads it from the workspace."""

FIRST, LAST = "", "\U0010ffff"
"""No text sorts before the first or after the last."""

_COMMENT = re.compile(r"--.*")
_TABLE = re.compile(r"IDENTIFIER\(:catalog \|\| '\.' \|\| :schema \|\| '\.(\w+)'\)")
_MARKER = re.compile(r":(\w+)")


@dataclass(frozen=True)
class Outdated:
    """The parameters of gold.sql: the entities whose rows do not say what silver says, first and last included.

    `loaded_until` is the newest load that silver has, in microseconds.
    """

    first_entity: str
    last_entity: str
    loaded_until: int


def outdated(spark: SparkSession, schema: Schema) -> Outdated:
    """What gold has to compute anew to say what silver says now.

    It is what the loads changed that gold was not brought to, be it that a run failed, or that `check`
    stopped it: all if there is no gold yet, or if nothing is known of one of them.
    """
    until = watermark(spark, Tables.of(schema)) or 0
    if not spark.catalog.tableExists(schema.table(GOLD)):
        return Outdated(FIRST, LAST, until)
    is_waiting = ~newer_than(until) & ~F.coalesce("is_in_gold", F.lit(False))
    span = F.count("*"), F.count("first_entity"), F.min("first_entity"), F.max("last_entity")
    row = spark.table(schema.table(REVISIONS)).where(is_waiting).agg(*span).first()
    assert row is not None
    files, known, first, last = row
    if not files:
        # Nothing is between these.
        return Outdated(LAST, FIRST, until)
    return Outdated(first, last, until) if known == files else Outdated(FIRST, LAST, until)


def compute(spark: SparkSession, schema: Schema, sql: str, part: Outdated) -> DataFrame:
    """Run the statements of gold.sql for this part of gold, and return all of it."""
    for statement in statements(sql, schema, part):
        spark.sql(statement)
    return spark.table(schema.table(GOLD))


def statements(sql: str, schema: Schema, part: Outdated) -> list[str]:
    """The statements of gold.sql with its parameters in them.

    Not every engine takes a parameter within IDENTIFIER, or in a command. Raises UnboundParameter if
    there is one that has no value.
    """
    values = {name: literal(str(value)) for name, value in asdict(part).items()}

    def value(marker: re.Match[str]) -> str:
        if marker[1] not in values:
            raise UnboundParameter(
                f"gold.sql has the parameter {marker[0]} where it names no table: write tables as "
                "IDENTIFIER(:catalog || '.' || :schema || '.<table>'), and of other parameters only "
                f"{', '.join(values)}."
            )
        return values[marker[1]]

    named = _TABLE.sub(lambda found: schema.table(found[1]), _COMMENT.sub("", sql))
    split = (statement.strip() for statement in named.split(";"))
    return [_MARKER.sub(value, statement) for statement in split if statement]
