"""One look at all rows, which decides how much checking they need, and how many of them are valid."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from renewables.checks import breaks
from renewables.revisions import Revision
from renewables.rules import SUM_RULE, WARNINGS
from renewables.sources import SOURCES


@dataclass(frozen=True)
class Survey:
    """What most rows are: such that they need no sorting, no join and no count per file.

    Of all `rows` it counts the `broken` ones, if there are no repeats, and by rule the valid ones that
    break one of severity `warning`. `has_repeats`: a file may have a second value for an entity and
    year. `exceeds`: the three sources may be too much together in these rows alone. Both are never
    false by mistake; that they may be true by mistake costs a closer look.
    """

    rows: int
    broken: int
    warnings: dict[str, int]
    has_repeats: bool
    exceeds: bool

    @property
    def is_clean(self) -> bool:
        """Whether every row is valid."""
        return not self.broken and not self.has_repeats

    @classmethod
    def of(cls, checked: DataFrame, is_current: Column) -> Survey:
        """Of rows that were checked as if each were the first with its entity and year."""
        flags = [~F.col("is_valid"), *warned().values()]
        numbers = [f"flag_{number}" for number in range(len(flags))]
        groups = _by_entity_and_year(checked, is_current, dict(zip(numbers, flags, strict=True)))
        repeats = F.col("rows") > F.bit_count("sources")
        row = groups.agg(
            *(F.coalesce(F.sum(name), F.lit(0)) for name in ("rows", *numbers)),
            *(F.coalesce(F.bool_or(is_so), F.lit(False)) for is_so in (repeats, breaks(SUM_RULE))),
        ).first()
        assert row is not None
        rows, broken, *warnings, has_repeats, exceeds = row
        return cls(rows, broken, dict(zip(warned(), warnings, strict=True)), has_repeats, exceeds)


def _by_entity_and_year(
    checked: DataFrame, is_current: Column, flags: dict[str, Column]
) -> DataFrame:
    """`rows`, `sources` as a set of bits, `total_percent` of the current files, and how many have each flag.

    An engine groups by a hash much faster than by a text and a number, and adds numbers faster than it
    counts conditions. Two groups that share a hash look like more rows and a higher sum than there are.
    """
    bits = [F.when(F.col("source") == source, 1 << bit) for bit, source in enumerate(SOURCES)]
    percent = F.when(is_current & F.expr("typed.percent BETWEEN 0 AND 100"), F.col("typed.percent"))
    rows = checked.select(
        F.xxhash64("typed.entity", "typed.year").alias("entity_and_year"),
        F.coalesce(*bits).alias("source"),
        percent.alias("percent"),
        *(flag.cast("INT").alias(name) for name, flag in flags.items()),
    )
    return rows.groupBy("entity_and_year").agg(
        F.count("*").alias("rows"),
        F.bit_or("source").alias("sources"),
        F.sum("percent").alias("total_percent"),
        *(F.sum(name).alias(name) for name in flags),
    )


@dataclass(frozen=True)
class Verdict:
    """How many rows break a rule by themselves, by the content hash of their file.

    `warnings` counts the valid rows that break a rule of that severity.
    """

    quarantined: dict[str, int]
    warnings: dict[str, int]

    @classmethod
    def of(cls, checked: DataFrame, survey: Survey) -> Verdict:
        if survey.is_clean:
            return cls({}, survey.warnings)
        counts = (F.count_if(flag) for flag in (~F.col("is_valid"), *warned().values()))
        rows = checked.groupBy("_content_hash").agg(*counts).collect()
        warnings = [sum(counts) for counts in zip(*(row[2:] for row in rows), strict=True)]
        return cls({row[0]: row[1] for row in rows}, dict(zip(warned(), warnings, strict=True)))

    @property
    def broken(self) -> int:
        return sum(self.quarantined.values())

    def counts(self, revision: Revision) -> tuple[int, int, int]:
        """Of that file the rows read, kept and quarantined."""
        broken = self.quarantined.get(revision.content_hash, 0)
        return revision.rows_read, revision.rows_read - broken, broken


def warned() -> dict[str, Column]:
    """Whether a row is valid and breaks each rule of severity `warning`."""
    return {rule.name: F.col("is_valid") & breaks(rule) for rule in WARNINGS}
