"""The attempts that are being executed at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from local_workspace.execution.attempt import Attempt, Ending, Execute, crashed
from local_workspace.execution.background import supervise
from local_workspace.models.run_result import CANCELED


class RunningAttempts:
    """Each attempt comes to one Ending, that `ended` hears of, however it goes."""

    def __init__(self, execute: Execute, ended: Callable[[int, Ending], None]) -> None:
        self._execute = execute
        self._ended = ended
        self._tasks: dict[int, asyncio.Task[Ending]] = {}

    def start(self, attempt: Attempt) -> None:
        task_run_id = attempt.task_run.run_id
        task = supervise(f"Attempt {task_run_id}", self._ending_of(attempt))
        self._tasks[task_run_id] = task
        task.add_done_callback(lambda done: self._done(task_run_id, done))

    def cancel(self, task_run_id: int) -> None:
        """The attempt ends as CANCELED once its processes have ended."""
        if task := self._tasks.get(task_run_id):
            task.cancel()

    async def abandon(self) -> None:
        """Ends all processes; nobody hears of it, as if the workspace had been killed."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ending_of(self, attempt: Attempt) -> Ending:
        try:
            return await self._execute(attempt)
        except Exception as error:
            return crashed(error)

    def _done(self, task_run_id: int, done: asyncio.Task[Ending]) -> None:
        """Not part of the coroutine, which never runs where it is cancelled before its first step."""
        if self._tasks.pop(task_run_id, None) is None:
            return
        canceled = Ending(CANCELED, {"error": CANCELED.message})
        self._ended(task_run_id, canceled if done.cancelled() else done.result())
