"""Scalars as text, as the Databricks CLI (Go) writes them into a text."""

from __future__ import annotations

type Scalar = str | bool | int | float | None


def text_of(value: Scalar) -> str:
    """`true`, `1` for 1.0, and nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)
