"""Bronze rows typed, and held against the rules."""

from __future__ import annotations

from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from renewables.rules import ERRORS, Rule
from renewables.schemas import LINEAGE, SILVER


def check(typed: DataFrame, has_repeats: bool = False) -> DataFrame:
    """Adds `occurrence`, `is_valid` and `reasons`: what the rows are by themselves; see `excess` for their sum.

    Without `has_repeats` each row is taken for the first one with its entity and year in its file.
    """
    counted = with_occurrence(typed) if has_repeats else typed.withColumn("occurrence", F.lit(1))
    return counted.transform(with_reasons)


def with_types(bronze: DataFrame) -> DataFrame:
    """Adds `typed`: entity, code, year INT and percent DOUBLE; null where the text is empty or no such value."""
    typed = F.struct(
        _text("entity").alias("entity"),
        _text("code").alias("code"),
        _cast("year", "INT").alias("year"),
        _cast("percent", "DOUBLE").alias("percent"),
    )
    return bronze.withColumn("typed", typed)


def with_occurrence(typed: DataFrame) -> DataFrame:
    """Adds `occurrence`: 1 for the first row of its file with that entity and year, 2 for the second ..."""
    same = Window.partitionBy("_content_hash", "typed.entity", "typed.year").orderBy("_position")
    return typed.withColumn("occurrence", F.row_number().over(same))


def with_reasons(typed: DataFrame) -> DataFrame:
    """Sets `is_valid`, and `reasons`, the names of all rules that a row breaks."""
    reasons = [F.when(breaks(rule), F.lit(rule.name)) for rule in ERRORS]
    # Apart from the reasons, which take longer and are needed of the broken rows only.
    is_valid = reduce(and_, (~breaks(rule) for rule in ERRORS))
    return typed.withColumns({"is_valid": is_valid, "reasons": F.array_compact(F.array(*reasons))})


def valid(checked: DataFrame) -> DataFrame:
    """The rows that break no rule, with the columns of silver."""
    kept = checked.where("is_valid")
    return kept.select("typed.*", *(column.name for column in LINEAGE)).select(*SILVER.column_names)


def breaks(rule: Rule) -> Column:
    """Whether a row breaks the rule: its condition is false or null."""
    return ~F.coalesce(F.expr(rule.condition), F.lit(False))


def _text(name: str) -> Column:
    return F.expr(f"nullif(trim({name}), '')")


def _cast(name: str, type_name: str) -> Column:
    return F.expr(f"try_cast(trim({name}) AS {type_name})")
