"""Trying again what failed on its way over the network."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from renewables.errors import ChangedSource, PipelineError

ATTEMPTS = 5
FIRST_WAIT_SECONDS = 0.5

FINAL = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    ValueError,
    ImportError,
    PipelineError,
)
"""What the next attempt would meet again."""


def retried[T](attempt: Callable[[], T], sleep: Callable[[float], None] | None = None) -> T:
    """What `attempt` returns; after a transport error it is called again, up to ATTEMPTS times in all.

    The waits double, with jitter, so that tasks which failed together do not come back together.
    """
    for failures in range(1, ATTEMPTS):
        try:
            return attempt()
        except Exception as error:
            if not _is_transient(error):
                raise
            print(f"Attempt {failures} of {ATTEMPTS} failed, trying again: {error!r}")
            wait = FIRST_WAIT_SECONDS * 2 ** (failures - 1) * random.uniform(0.5, 1.5)
            (sleep or time.sleep)(wait)
    return attempt()


def _is_transient(error: Exception) -> bool:
    if isinstance(error, ChangedSource):
        return True
    # aiohttp's and requests' errors carry the HTTP status.
    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        return status >= 500 or status in (408, 429)
    return not isinstance(error, FINAL)
