"""The life of one task's process, from the fork to its exit."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import os
import random
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np

from local_workspace.runtime import (
    installer,
    notebook,
    python_wheel,
    spark_python,
    sql_session,
    task_sessions,
)
from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.failure import describe
from local_workspace.runtime.notebook_runs import NotebookExit
from local_workspace.runtime.process_tree import adopt_orphans, die_first, end_group_with

HELPERS = frozenset({"warehouse", "installer"})
"""Processes of the workspace itself; all others run a task."""
KINDS: dict[str, Callable[[Message, Channel], str | None]] = {
    "notebook": notebook.run,
    "python_wheel": python_wheel.run,
    "spark_python": spark_python.run,
    "warehouse": sql_session.run,
    "installer": installer.run,
}
_SOURCES = str(Path(__file__).parents[2])
_DATABRICKS_MODULES = str(Path(__file__).parent / "databricks_modules")


def main(connection: socket.socket, lifeline: int, output: int) -> NoReturn:
    """Run the task that the workspace sends over `connection`; dies when `lifeline` is closed."""
    os.setsid()
    adopt_orphans()
    die_first()
    _redirect(output)
    end_group_with(lifeline)
    channel = Channel(connection)
    spec = channel.receive()
    if spec is None:
        os._exit(1)
    _enter(spec)
    os._exit(_run(spec, channel))


def _enter(spec: Message) -> None:
    """Make the process what the spec says: environment, import path, folder."""
    os.environ.update(spec["env"], SPARK_REMOTE=spec["spark_remote"])
    # The deployed wheel counts, not the sources that this process was started from.
    rest = [path for path in sys.path if path != _SOURCES or "site-packages" in path]
    folder = [spec["cwd"]] if spec.get("cwd") else []
    sys.path[:] = [*spec["sys_path"], *folder, *rest, _DATABRICKS_MODULES]
    os.environ["PYTHONPATH"] = os.pathsep.join(spec["sys_path"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "local_workspace"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    # Every fork would draw the same numbers otherwise.
    random.seed()
    np.random.seed()
    if folder:
        os.chdir(*folder)


def _redirect(output: int) -> None:
    """stdout and stderr go to the log, line by line; stdin is empty."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.close(output)
    # New streams, because those of the fork server know what kind of file they write to.
    sys.stdout = sys.__stdout__ = _lines_to(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _lines_to(2)  # type: ignore[misc]


def _lines_to(descriptor: int) -> io.TextIOWrapper:
    return open(descriptor, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _run(spec: Message, channel: Channel) -> int:
    """The process's exit code, after the last event was sent."""
    if spec["kind"] not in HELPERS:
        task_sessions.announce(lambda session: channel.send("session", **session))
    try:
        result = KINDS[spec["kind"]](spec, channel)
    except NotebookExit as early:
        result = early.value
    except SystemExit as exit:
        if exit.code not in (None, 0):
            return _fail(exit, channel)
        result = None
    except BaseException as error:
        return _fail(error, channel)
    _finish()
    channel.send("succeeded", result=result)
    return 0


def _fail(error: BaseException, channel: Channel) -> int:
    message, trace = describe(error)
    # The task's code may have closed or replaced its streams.
    with contextlib.suppress(Exception):
        sys.stderr.write(trace)
    _finish()
    channel.send("failed", error=message, trace=trace)
    return 1


def _finish() -> None:
    """What the interpreter does at its end, without taking down each module: that costs time."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
