"""What a row has to satisfy to get from bronze to silver."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What becomes of a row that breaks a rule."""

    ERROR = "error"
    """It goes to quarantine."""
    WARNING = "warning"
    """It is kept, and counted in the run's output."""


@dataclass(frozen=True)
class Rule:
    """A SQL condition; a row for which it is not true breaks the rule.

    It sees the columns of bronze, `typed` (checks.with_types) and `occurrence`
    (checks.with_occurrence); SUM_RULE sees `total_percent` (sums.totals) alone.
    """

    name: str
    condition: str
    severity: Severity = Severity.ERROR


SUM_RULE = Rule(
    # Rounding at the source may bring three exact shares a little over 100.
    "hydro, solar and wind are more than 100.5 percent together",
    # The order in which three numbers are added shows in the last digits.
    "total_percent IS NULL OR round(total_percent, 6) <= 100.5",
)

RULES = (
    Rule("entity is missing", "typed.entity IS NOT NULL"),
    Rule("year is not within 1900-2100", "typed.year BETWEEN 1900 AND 2100"),
    # A source may list a year without reporting a value.
    Rule(
        "percent is not a number", "typed.percent IS NOT NULL OR coalesce(trim(percent), '') = ''"
    ),
    Rule("percent is not within 0-100", "typed.percent IS NULL OR typed.percent BETWEEN 0 AND 100"),
    Rule("second value for the entity and year in one file", "occurrence = 1"),
    SUM_RULE,
    Rule("percent is not reported", "typed.percent IS NOT NULL", Severity.WARNING),
)

ERRORS = tuple(r for r in RULES if r.severity is Severity.ERROR and r is not SUM_RULE)
"""What a row can break by itself."""

WARNINGS = tuple(rule for rule in RULES if rule.severity is Severity.WARNING)
