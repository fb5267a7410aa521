"""What a row has to satisfy to get from bronze to silver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A SQL condition; a row for which it is not true breaks the rule.

    It sees the columns of bronze, `typed` (silver.with_types) and `occurrence` (silver.with_occurrence).
    """

    name: str
    condition: str


RULES = (
    Rule("entity is missing", "typed.entity IS NOT NULL"),
    Rule("year is not within 1900-2100", "typed.year BETWEEN 1900 AND 2100"),
    # A source may list a year without reporting a value.
    Rule(
        "percent is not a number", "typed.percent IS NOT NULL OR coalesce(trim(percent), '') = ''"
    ),
    Rule("percent is not within 0-100", "typed.percent IS NULL OR typed.percent BETWEEN 0 AND 100"),
    Rule("second value for the entity and year in one file", "occurrence = 1"),
)
