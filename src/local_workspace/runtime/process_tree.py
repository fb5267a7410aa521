"""What is below a process, also what its parents have abandoned."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import threading
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """A process below this one that loses its parent becomes a child of this one.

    Linux has that (https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html); elsewhere such a
    process becomes init's and is out of reach.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_first() -> None:
    """Where memory runs out, this process and those below it go, and not the workspace."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")


def end_group_with(lifeline: int) -> None:
    """This process's group is killed when the other end of the pipe is closed."""
    try:
        _have_kernel_kill(lifeline)
    except (AttributeError, OSError):
        # Only Linux has that. With a thread, Python warns of every fork in the user's code.
        threading.Thread(target=_wait_and_kill, args=(lifeline,), daemon=True).start()


def _have_kernel_kill(lifeline: int) -> None:
    # The flags are those of an open file, and the descriptor shares its file with all other tasks.
    own = os.open(f"/proc/self/fd/{lifeline}", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(own, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(own, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(own, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    with contextlib.suppress(BlockingIOError):
        # It was closed before the kernel was asked.
        if not os.read(own, 1):
            os.killpg(0, signal.SIGKILL)


def _wait_and_kill(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


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
