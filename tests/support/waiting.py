"""How tests wait: for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 300.0
"""Seconds. The slowest machine meets within them whatever it will meet at all; pytest's own time-out is longer."""
_LEAST_PAUSE, _LONGEST_PAUSE = 0.002, 0.5


def wait_until[T](condition: Callable[[], T | None], what: str) -> T:
    """Return what `condition` returns as soon as that is true; say for `what` the test waited if it never is."""
    started = time.monotonic()
    while not (met := condition()):
        waited = time.monotonic() - started
        assert waited < PATIENCE, f"Waited {waited:.0f} s for {what}."
        # A tenth of the time so far: short waits end at once, and long ones leave the machine to what they wait for.
        time.sleep(min(max(waited / 10, _LEAST_PAUSE), _LONGEST_PAUSE))
    return met
