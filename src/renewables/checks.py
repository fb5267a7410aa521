"""Bronze rows typed, and held against the rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from renewables.revisions import Revision
from renewables.rules import ERRORS, SUM_RULE, WARNINGS, Rule
from renewables.schemas import LINEAGE, SILVER
from renewables.sources import SOURCES


@dataclass(frozen=True)
class Survey:
    """What decides how much checking rows need: most loads need no sorting, no join and no count per file.

    `rows`, and those of them that break a rule by themselves, `has_repeats` aside; `warnings` are the
    valid ones that break a rule of that severity. `has_repeats`: an entity and year may have a source's
    value several times. `exceeds`: the three sources' values in these rows alone may break the rule on
    their sum. It is right where it says that they do not, and may be wrong where it says that they do.
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
        counts = [F.count_if(~F.col("is_valid")), *warned().values()]
        groups = _by_entity_and_year(checked, is_current, counts)
        repeats = F.col("rows") > F.bit_count("sources")
        row = groups.agg(
            *(F.coalesce(F.sum(name), F.lit(0)) for name in ("rows", *_names(counts))),
            *(F.coalesce(F.bool_or(is_so), F.lit(False)) for is_so in (repeats, breaks(SUM_RULE))),
        ).first()
        assert row is not None
        rows, broken, *warnings, has_repeats, exceeds = row
        return cls(rows, broken, dict(zip(warned(), warnings, strict=True)), has_repeats, exceeds)


def _by_entity_and_year(checked: DataFrame, is_current: Column, counts: list[Column]) -> DataFrame:
    """`rows`, `sources` as a set of bits, `total_percent` of the current files, and the counts.

    An engine groups by a hash much faster than by a text and a number; two groups that share one
    look like more rows and a higher sum than there are.
    """
    bits = [F.when(F.col("source") == source, 1 << bit) for bit, source in enumerate(SOURCES)]
    percent = F.when(is_current & F.expr("typed.percent BETWEEN 0 AND 100"), F.col("typed.percent"))
    return checked.groupBy(F.xxhash64("typed.entity", "typed.year").alias("entity_and_year")).agg(
        F.count("*").alias("rows"),
        F.bit_or(F.coalesce(*bits)).alias("sources"),
        F.sum(percent).alias("total_percent"),
        *(count.alias(name) for name, count in zip(_names(counts), counts, strict=True)),
    )


def _names(counts: list[Column]) -> list[str]:
    return [f"count_{number}" for number in range(len(counts))]


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
        broken = F.count_if(~F.col("is_valid"))
        rows = checked.groupBy("_content_hash").agg(broken, *warned().values()).collect()
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
    """How many valid rows break each rule of severity `warning`."""
    return {rule.name: F.count_if(F.col("is_valid") & breaks(rule)) for rule in WARNINGS}


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
