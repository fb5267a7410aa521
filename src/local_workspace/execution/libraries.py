"""The libraries of a task: each set is installed once, in a folder of its own."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from pathlib import Path

from local_workspace.execution.library_set import LibrarySet
from local_workspace.execution.processes import TaskProcesses
from local_workspace.execution.task_process import Message
from local_workspace.runtime.wheel import LibraryError

__all__ = ["Libraries", "LibraryError"]

_INSTALLING = ".installing-"


class Libraries:
    """Installs into `folder`; a set that is there is used as it is."""

    def __init__(self, folder: Path, processes: TaskProcesses) -> None:
        self._folder = folder
        self._processes = processes
        self._installing: dict[str, asyncio.Lock] = {}

    def remove_leftovers(self) -> None:
        """What was being installed when the workspace was killed."""
        for leftover in self._folder.glob(f"{_INSTALLING}*"):
            shutil.rmtree(leftover)

    async def ensure(self, wanted: LibrarySet) -> str:
        """The folder to put on `sys.path`; LibraryError where the set cannot be installed."""
        key = await asyncio.to_thread(_key, wanted)
        target = self._folder / key
        async with self._installing.setdefault(key, asyncio.Lock()):
            if not target.exists():
                await self._fill(wanted, target)
        return str(target)

    async def _fill(self, wanted: LibrarySet, target: Path) -> None:
        """Fill a temporary folder and give it its name, so that `target` is whole or absent."""
        temporary = Path(tempfile.mkdtemp(prefix=_INSTALLING, dir=self._folder))
        try:
            await self._install(
                folder=str(temporary),
                wheels=[(str(wheel.path), wheel.extras) for wheel in wanted.wheels],
                requirements=wanted.requirements,
                options=wanted.options,
            )
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    async def _install(self, **request: object) -> None:
        spec: Message = {"kind": "installer", "env": {}, "sys_path": [], "spark_remote": ""}
        events: list[Message] = []
        exit = await self._processes.run({**spec, **request}, events.append)
        last = events[-1] if events else {}
        match last.get("event"):
            case "succeeded" if last["result"] is None:
                return
            case "succeeded":
                raise LibraryError(last["result"])
            case "failed":
                raise LibraryError(f"The libraries could not be installed: {last['error']}")
        raise LibraryError(f"The installation of the libraries was ended by {exit}.")


def _key(wanted: LibrarySet) -> str:
    """The set's content as a name: a wheel that was built again is another one."""
    digest = hashlib.sha256(repr([sorted(wanted.requirements), wanted.options]).encode())
    for wheel in wanted.wheels:
        digest.update(repr((wheel.path.name, wheel.extras)).encode())
        digest.update(hashlib.sha256(wheel.path.read_bytes()).digest())
    return digest.hexdigest()[:32]
