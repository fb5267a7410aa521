"""Processes that the launcher starts and that never outlive it. Standard library only."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

from environments import PROJECT, ROOT, SetupError

GUARD = ROOT / "scripts" / "guard.py"
POLL_SECONDS = 0.1
START_SECONDS = 300
STOP_SECONDS = 120
"""Long enough for a machine that does much else: a child that ends before it is ready is noticed at once."""


class Child:
    """A command under guard: its process tree ends when `stop` is called or the launcher is gone."""

    def __init__(self, name: str, command: List[str], env: Dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [str(PROJECT.python), str(GUARD), *command],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The guard's; the command is its child."""
        return self._process.pid

    def begin_stop(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def stop(self) -> None:
        self.begin_stop()
        self._process.wait(STOP_SECONDS)

    def check(self) -> None:
        """Raises SetupError with the last line that the process wrote if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise SetupError(
                f"{self.name} ended with code {code}: {self.last_error()} (log: {self.log})"
            )

    def last_error(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
        errors = [line for line in lines if line.startswith("error: ")]
        return (errors or [line for line in lines if line] or ["no message"])[-1].replace(
            "error: ", ""
        )

    def wait_until(self, ready: Callable[[], Optional[bool]], seconds: float) -> None:
        """Until `ready` is true; SetupError if the process ends before, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{self.name} was not ready after {seconds:.0f} s (log: {self.log})."
                )
            time.sleep(POLL_SECONDS)
