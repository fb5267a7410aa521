"""Cron expressions as Quartz reads them."""

import pytest

from local_workspace.models.quartz import is_quartz


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 6 * * ?",
        "0 0/15 8-18 ? * MON-FRI",
        "0 15 10 L * ?",
        "0 15 10 ? * 6L 2026-2030",
        "0 15 10 ? * FRI#3",
        "0 0 0 15W * ?",
        "0 0 0 LW JAN,jul ?",
        "30 */5 * * * ?",
        "59 59 23 31 12 ? 2099",
    ],
)
def test_valid(expression: str) -> None:
    assert is_quartz(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 6 * * *",
        "0 30 2,7,11,15 * * *",
        "60 0 6 * * ?",
        "0 0 24 * * ?",
        "0 0 6 ? * ?",
        "0 0 6 32 * ?",
        "0 0 6 * 13 ?",
        "0 0 6 ? * 8",
        "0 0 6 ? * MON#6",
        "0 0 6 * * ? 1969",
        "0 0/0 6 * * ?",
        "0 0 6- * * ?",
        "0 0 6 * * ? 2026 extra",
        "every day at six",
    ],
)
def test_invalid(expression: str) -> None:
    assert not is_quartz(expression)
