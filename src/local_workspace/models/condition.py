"""Whether the condition of an If/else task holds: https://docs.databricks.com/aws/en/jobs/if-else."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from local_workspace.models.run import Misconfigured

_COMPARE_TEXT = {"EQUAL_TO": operator.eq, "NOT_EQUAL": operator.ne}
_COMPARE_NUMBERS = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
}


def holds(condition: Mapping[str, Any]) -> bool:
    """`{op, left, right}` with its references resolved; raises Misconfigured where a number is wanted and not there."""
    op, left, right = condition["op"], condition["left"], condition["right"]
    if op in _COMPARE_TEXT:
        return bool(_COMPARE_TEXT[op](left, right))
    try:
        return bool(_COMPARE_NUMBERS[op](_number(left), _number(right)))
    except InvalidOperation:
        raise Misconfigured(f"{op} compares numbers, got {left!r} and {right!r}.") from None


def _number(text: str) -> Decimal:
    """Exact, because ids do not fit into a float; InvalidOperation for text, and for what has no order."""
    number = Decimal("not a number" if "_" in text else text)
    if number.is_nan():
        raise InvalidOperation
    return number
