"""Quartz cron expressions, as far as to refuse those that Quartz would.

Syntax: https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class _Field:
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"

    def allows(self, text: str) -> bool:
        return all(self._allows_part(part) for part in text.upper().split(","))

    def _allows_part(self, part: str) -> bool:
        if re.fullmatch(self.special, part):
            return True
        span, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and 0 < int(step) <= self.high):
            return False
        return span == "*" or all(self._is_value(end) for end in span.split("-", 1))

    def _is_value(self, text: str) -> bool:
        if text in self.names:
            return True
        return bool(re.fullmatch(r"[0-9]{1,4}", text)) and self.low <= int(text) <= self.high


_FIELDS = (
    _Field(0, 59),
    _Field(0, 59),
    _Field(0, 23),
    _Field(1, 31, special=r"\?|LW?|L-([1-9]|[12]\d|30)|([1-9]|[12]\d|3[01])W"),
    _Field(1, 12, _MONTHS),
    _Field(1, 7, _DAYS, special=rf"\?|L|([1-7]|{'|'.join(_DAYS)})(L|#[1-5])"),
    _Field(1970, 2099),
)


def is_quartz(expression: str) -> bool:
    """Six or seven fields, each in its range, and `?` in exactly one of the day fields."""
    parts = expression.split()
    if len(parts) not in (6, 7):
        return False
    in_range = all(field.allows(part) for field, part in zip(_FIELDS, parts, strict=False))
    return in_range and (parts[3] == "?") is not (parts[5] == "?")
