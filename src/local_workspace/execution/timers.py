"""What is due later, on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable

from local_workspace.errors import OutOfSpace

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Until what could not be stored is tried again."""


class Timers:
    """At most one timer per key; setting it again replaces it. What a full disk prevents is due again."""

    def __init__(self) -> None:
        self._handles: dict[Hashable, asyncio.TimerHandle] = {}
        self._is_full = False

    def set(self, key: Hashable, seconds: float, action: Callable[[], None]) -> None:
        """`action` is called after `seconds`, at once where they are negative."""
        self.cancel(key)
        loop = asyncio.get_running_loop()
        self._handles[key] = loop.call_later(max(0.0, seconds), self._fire, key, action)

    def cancel(self, key: Hashable) -> None:
        if handle := self._handles.pop(key, None):
            handle.cancel()

    def cancel_all(self) -> None:
        for key in list(self._handles):
            self.cancel(key)

    def _fire(self, key: Hashable, action: Callable[[], None]) -> None:
        del self._handles[key]
        try:
            action()
            self._is_full = False
        except OutOfSpace as error:
            if not self._is_full:
                logger.warning("%s Runs go on as soon as there is room.", error.message)
            self._is_full = True
            self.set(key, RETRY_SECONDS, action)
