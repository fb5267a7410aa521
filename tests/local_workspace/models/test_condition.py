"""What conditions compare, and what they refuse."""

import pytest

from local_workspace.models.condition import holds
from local_workspace.models.run import Misconfigured


@pytest.mark.parametrize(
    ("op", "left", "right", "expected"),
    [
        ("EQUAL_TO", "12.0", "12", False),
        ("NOT_EQUAL", "12.0", "12", True),
        ("EQUAL_TO", "true", "true", True),
        ("EQUAL_TO", "True", "true", False),
        ("GREATER_THAN_OR_EQUAL", "12.0", "12", True),
        ("GREATER_THAN_OR_EQUAL", "10.0", "12", False),
        ("LESS_THAN", "9", "10", True),
        ("LESS_THAN_OR_EQUAL", "0.0", "-0", True),
        ("GREATER_THAN", "2", "1e1", False),
        ("GREATER_THAN", "9007199254740993", "9007199254740992", True),
    ],
)
def test_conditions_compare_text_or_numbers(op: str, left: str, right: str, expected: bool) -> None:
    assert holds({"op": op, "left": left, "right": right}) is expected


@pytest.mark.parametrize("left", ["many", "", "true", "1_000", "NaN"])
def test_a_numeric_condition_refuses_what_is_no_number(left: str) -> None:
    with pytest.raises(Misconfigured, match=f"LESS_THAN compares numbers, got '{left}' and '1'"):
        holds({"op": "LESS_THAN", "left": left, "right": "1"})
