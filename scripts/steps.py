"""One live line per step: in a terminal the lines update in place, elsewhere each change is printed once.

Standard library and Python 3.9 only, since it runs before anything is installed.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Optional, TextIO

_MARKS = {"running": "·", "done": "✓", "failed": "✗", "skipped": "-"}
_PLAIN_MARKS = {"running": "..", "done": "ok", "failed": "!!", "skipped": "--"}


class Step:
    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "running"
        self.detail = ""
        self._started = time.monotonic()
        self._seconds: Optional[float] = None

    def set(self, state: str, detail: str, seconds: Optional[float]) -> None:
        self.state = state
        self.detail = detail or self.detail
        if seconds is None and state != "running":
            seconds = time.monotonic() - self._started
        self._seconds = seconds

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started if self._seconds is None else self._seconds


class Steps:
    """Use as a context manager; a step is created at its first mention."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._live = out.isatty()
        encoding = (out.encoding or "").lower()
        self._marks = _MARKS if encoding.startswith("utf") else _PLAIN_MARKS
        self._steps: dict[str, Step] = {}
        self._drawn = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True)

    def __enter__(self) -> Steps:
        if self._live:
            self._painter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._live:
            self._painter.join()
            self._draw()

    def update(self, name: str, detail: str = "") -> None:
        self.set(name, "running", detail)

    def done(self, name: str, detail: str = "") -> None:
        self.set(name, "done", detail)

    def fail(self, name: str, detail: str = "") -> None:
        self.set(name, "failed", detail)

    def fail_running(self) -> None:
        """What was under way when something else stopped the work."""
        for step in list(self._steps.values()):
            if step.state == "running":
                self.fail(step.name, "stopped")

    def set(self, name: str, state: str, detail: str, seconds: Optional[float] = None) -> None:
        """`seconds` where somebody else has measured the step."""
        with self._lock:
            is_new = name not in self._steps
            step = self._steps.setdefault(name, Step(name))
            if not is_new and (step.state, step.detail) == (state, detail):
                return
            step.set(state, detail, seconds)
            if not self._live:
                print(self._line(step), file=self._out, flush=True)

    def _line(self, step: Step) -> str:
        text = f"{self._marks[step.state]} {step.name:<28} {step.detail}"
        seconds = f"{step.seconds:6.1f} s"
        if not self._live:
            return f"{text:<78} {seconds}"
        width = shutil.get_terminal_size().columns
        return f"{text[: width - 12]:<{max(20, min(width - 12, 78))}} {seconds}"

    def _paint(self) -> None:
        while not self._stopped.wait(0.1):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            lines = [self._line(step) for step in self._steps.values()]
            up = f"\x1b[{self._drawn}F" if self._drawn else ""
            self._out.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
            self._out.flush()
            self._drawn = len(lines)
