"""What tests of the local workspace expect of its answers and of its processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk.errors.base import DatabricksError


def refused(kind: type[DatabricksError], code: str, message: str, call: Callable[[], Any]) -> None:
    """`call` raises the SDK's `kind` with exactly this code and message."""
    with pytest.raises(kind) as refusal:
        call()
    assert (refusal.value.error_code, str(refusal.value)) == (code, message)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"The condition was not met within {seconds} s."
        time.sleep(0.005)
