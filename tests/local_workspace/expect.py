"""Expectations of the local workspace's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk.errors.base import DatabricksError


def refused(kind: type[DatabricksError], code: str, message: str, call: Callable[[], Any]) -> None:
    """`call` raises the SDK's `kind` with exactly this code and message."""
    with pytest.raises(kind) as refusal:
        call()
    assert (refusal.value.error_code, str(refusal.value)) == (code, message)
