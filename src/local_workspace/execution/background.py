"""Work that goes on behind the requests. None of it ends in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


def supervise[Result](
    name: str,
    work: Coroutine[Any, Any, Result],
    *,
    failed: Callable[[], object] = lambda: None,
) -> asyncio.Task[Result]:
    """Run `work` in the background; where it fails, log that and call `failed`.

    `failed` mends what relied on the work. It is left out where the work has done that itself by then.
    Everything in the server that runs in the background is started here.
    """

    def ended(task: asyncio.Task[Result]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", name, exc_info=error)
            failed()

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(ended)
    return task


async def finish(seconds: float, **works: Coroutine[Any, Any, None]) -> None:
    """Return when all of `works` have ended, after `seconds` at the latest; what still goes on is left behind."""
    tasks = [supervise(f"Ending the {name}", work) for name, work in works.items()]
    _, left = await asyncio.wait(tasks, timeout=seconds)
    for task in left:
        logger.warning("%s takes more than %s seconds", task.get_name(), seconds)
