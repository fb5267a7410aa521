"""Runs a command and ends its whole process tree when the guard's standard input closes.

    guard.py COMMAND [ARGUMENT ...]

Whoever starts the guard holds the other end of its standard input, so nothing outlives that process, however it
ends. Some of Airflow's processes start sessions of their own; on Linux the guard adopts what they leave behind.
Needs psutil.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading

import psutil

GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL; Airflow's triggerer would take 10 s to end by itself."""
PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, lambda *_: None)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_stdin, args=(child,), daemon=True).start()
    code = child.wait()
    end_tree(psutil.Process())
    return code


def _end_with_stdin(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    end_tree(psutil.Process())
    with contextlib.suppress(ProcessLookupError):
        child.kill()


def end_tree(root: psutil.Process) -> None:
    """Ends all descendants of `root`: asked first, killed after the grace period, until none is left."""
    for stop, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        descendants = root.children(recursive=True)
        for process in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(stop)
        psutil.wait_procs(descendants, seconds)
    for orphan in root.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
