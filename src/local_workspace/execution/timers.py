"""What is due later, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable


class Timers:
    """At most one timer per key; setting it again replaces it."""

    def __init__(self) -> None:
        self._handles: dict[Hashable, asyncio.TimerHandle] = {}

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
        action()
