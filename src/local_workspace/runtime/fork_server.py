"""Starts task processes fast: imports what tasks use once, then forks one process per task.

Started by `execution/processes.py` with a control socket. Requests: `requests.py`; each report is a
line of JSON: {"ready": true} once, then {"task": number, "code" | "signal": ...} when a task has ended
and all its output is in its log. When the other end of the control socket is closed, all tasks are
killed and the fork server ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil

from local_workspace.runtime.process_tree import adopt_orphans, end_descendants, signal_all
from local_workspace.runtime.requests import REQUEST, START, TERMINATE
from local_workspace.runtime.task_log import TaskLog

TASK_PROCESS = "local_workspace.runtime.task_process"
"""Not imported above, because that takes seconds, in which the workspace may end."""


@dataclass
class Task:
    """`descendants` are processes that were seen in its tree: some may have left its process group."""

    id: int
    pid: int
    log: TaskLog
    descendants: list[psutil.Process] = field(default_factory=list)

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.descendants += psutil.Process(self.pid).children(recursive=True)
        # A process that was just forked leads no group yet.
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError):
                kill(self.pid, number)
        signal_all(self.descendants, number)

    def sweep(self) -> None:
        """Kill what is left of the tree after its root has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        signal_all(self.descendants, signal.SIGKILL)


class ForkServer:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._tasks: dict[int, Task] = {}
        # Closed with this process; every task waits for that.
        self._lifeline, self._lifeline_end = os.pipe()
        self._wakeup, self._wakeup_end = socket.socketpair()
        self._wakeup_end.setblocking(False)
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Start, signal and reap tasks until the workspace is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup_end.fileno())
        # A live task adopts its own orphans, so what is adopted here was left behind by a task that has ended.
        adopt_orphans()
        self._report(ready=True)
        self._selector.register(self._control, selectors.EVENT_READ, self._handle_request)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._reap)
        try:
            while self._handle_ready():
                pass
        finally:
            end_descendants()

    def _handle_ready(self) -> bool:
        """Whether the workspace is still there."""
        registered = self._selector.get_map()
        ready = self._selector.select()
        # A task that ends takes its log with it, which may have been ready too.
        return all(key.data() for key, _ in ready if registered.get(key.fileobj) is key)

    def _handle_request(self) -> bool:
        """Whether the workspace is still there."""
        try:
            request, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, 2)
        except ConnectionResetError:
            # It was killed before it had read all reports.
            return False
        if not request:
            return False
        kind, task_id = REQUEST.unpack(request)
        if kind == START:
            self._start(task_id, socket.socket(fileno=descriptors[0]), TaskLog(descriptors[1]))
        elif task := next((t for t in self._tasks.values() if t.id == task_id), None):
            task.send(signal.SIGTERM if kind == TERMINATE else signal.SIGKILL)
        return True

    def _start(self, task_id: int, connection: socket.socket, log: TaskLog) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self._become_task(connection, log)
            finally:
                os._exit(1)
        connection.close()
        os.close(log.pipe_end)
        self._tasks[pid] = Task(task_id, pid, log)
        self._selector.register(log.pipe, selectors.EVENT_READ, lambda: self._copy(log))

    def _copy(self, log: TaskLog) -> bool:
        if not log.copy():
            self._selector.unregister(log.pipe)
        return True

    def _become_task(self, connection: socket.socket, log: TaskLog) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._lifeline_end)
        for inherited in (self._control, self._wakeup, self._wakeup_end, self._selector):
            inherited.close()
        for other in (log, *(task.log for task in self._tasks.values())):
            other.close()
        connection.set_inheritable(False)
        sys.modules[TASK_PROCESS].main(connection, self._lifeline, log.pipe_end)

    def _reap(self) -> bool:
        self._wakeup.recv(4096)
        ended = dict(_ended_children())
        tasks = {pid: self._tasks.pop(pid) for pid in ended if pid in self._tasks}
        for task in tasks.values():
            task.sweep()
        if ended:
            self._end_orphans()
        for pid, task in tasks.items():
            self._finish(task, ended[pid])
        return True

    def _end_orphans(self) -> None:
        """The end of each brings its own children here, and with that the next call."""
        children = psutil.Process().children()
        signal_all([c for c in children if c.pid not in self._tasks], signal.SIGKILL)

    def _finish(self, task: Task, status: int) -> None:
        if task.log.pipe in self._selector.get_map():
            self._selector.unregister(task.log.pipe)
        task.log.finish()
        self._report(task=task.id, **_exit(status))

    def _report(self, **report: Any) -> None:
        # The workspace may be gone already; the control socket's end says so next.
        with contextlib.suppress(ConnectionError):
            self._control.sendall(json.dumps(report).encode() + b"\n")


def _ended_children() -> Iterator[tuple[int, int]]:
    """The pid and the status of each child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def _exit(status: int) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        return {"signal": signal.Signals(os.WTERMSIG(status)).name}
    return {"code": os.WEXITSTATUS(status)}


@contextlib.contextmanager
def _ends_with(control: socket.socket) -> Iterator[None]:
    """While the block runs, this process ends as soon as the workspace has.

    By a signal: a thread that waits for it would be there when the first task is forked.
    """

    def end(*_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            if not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                os._exit(0)

    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    signal.signal(signal.SIGIO, end)
    fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(control, fcntl.F_SETFL, flags | os.O_ASYNC)
    end()
    yield
    fcntl.fcntl(control, fcntl.F_SETFL, flags)
    signal.signal(signal.SIGIO, signal.SIG_IGN)


def main() -> None:
    """Arguments: the control socket's descriptor, then the modules to import."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    with _ends_with(control):
        for name in (TASK_PROCESS, *sys.argv[2:]):
            importlib.import_module(name)
    # Pages that the collector does not touch stay shared with the tasks.
    gc.collect()
    gc.freeze()
    ForkServer(control).serve()


if __name__ == "__main__":
    main()
