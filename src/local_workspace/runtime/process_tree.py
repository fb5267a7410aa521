"""What is below a process, also what its parents have abandoned."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """A process below this one that loses its parent becomes a child of this one.

    Linux has that (https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html); elsewhere such a
    process becomes init's and is out of reach.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def end_descendants() -> None:
    """Kill everything below this process and wait for its end."""
    with contextlib.suppress(ChildProcessError):
        while True:
            signal_all(psutil.Process().children(recursive=True), signal.SIGKILL)
            os.wait()
