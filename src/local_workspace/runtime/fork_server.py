"""Starts task processes fast: imports what tasks use once, then forks one process per task.

Started by `execution/processes.py` with a control socket. Requests: `requests.py`; each report is a
line of JSON: {"ready": true} once, then {"task": number, "code" | "signal": ...} when a task has ended.
When the other end of the control socket is closed, all tasks are killed and the fork server ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

import psutil

from local_workspace.runtime import task_process
from local_workspace.runtime.requests import REQUEST, START, TERMINATE


@dataclass
class Task:
    """`descendants` are processes that were seen in its tree: some may have left its process group."""

    id: int
    pid: int
    descendants: list[psutil.Process] = field(default_factory=list)

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.descendants += psutil.Process(self.pid).children(recursive=True)
        # A process that was just forked leads no group yet.
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError):
                kill(self.pid, number)
        self._signal_descendants(number)

    def sweep(self) -> None:
        """Kill what is left of the tree after its root has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._signal_descendants(signal.SIGKILL)

    def _signal_descendants(self, number: signal.Signals) -> None:
        for process in self.descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


class ForkServer:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._tasks: dict[int, Task] = {}
        # Closed with this process; every task waits for that.
        self._lifeline, self._lifeline_end = os.pipe()
        self._wakeup, self._wakeup_end = socket.socketpair()
        self._wakeup_end.setblocking(False)

    def serve(self) -> None:
        """Start, signal and reap tasks until the workspace is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup_end.fileno())
        self._report(ready=True)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ, self._handle_request)
            selector.register(self._wakeup, selectors.EVENT_READ, self._reap)
            while all(key.data() for key, _ in selector.select()):
                pass
        for task in self._tasks.values():
            task.send(signal.SIGKILL)

    def _handle_request(self) -> bool:
        """Whether the workspace is still there."""
        request, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, 1)
        if not request:
            return False
        kind, task_id = REQUEST.unpack(request)
        if kind == START:
            self._start(task_id, socket.socket(fileno=descriptors[0]))
        elif task := self._tasks.get(task_id):
            task.send(signal.SIGTERM if kind == TERMINATE else signal.SIGKILL)
        return True

    def _start(self, task_id: int, connection: socket.socket) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self._become_task(connection)
            finally:
                os._exit(1)
        connection.close()
        self._tasks[task_id] = Task(task_id, pid)

    def _become_task(self, connection: socket.socket) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._lifeline_end)
        for inherited in (self._control, self._wakeup, self._wakeup_end):
            inherited.close()
        connection.set_inheritable(False)
        task_process.main(connection, self._lifeline)

    def _reap(self) -> bool:
        self._wakeup.recv(4096)
        for task in list(self._tasks.values()):
            pid, status = os.waitpid(task.pid, os.WNOHANG)
            if pid:
                task.sweep()
                del self._tasks[task.id]
                self._report(task=task.id, **_exit(status))
        return True

    def _report(self, **report: Any) -> None:
        # The workspace may be gone already; the control socket's end says so next.
        with contextlib.suppress(BrokenPipeError):
            self._control.sendall(json.dumps(report).encode() + b"\n")


def _exit(status: int) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        return {"signal": signal.Signals(os.WTERMSIG(status)).name}
    return {"code": os.WEXITSTATUS(status)}


def main() -> None:
    """Arguments: the control socket's descriptor, then the modules to import."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    for name in sys.argv[2:]:
        importlib.import_module(name)
    # Pages that the collector does not touch stay shared with the tasks.
    gc.collect()
    gc.freeze()
    ForkServer(control).serve()


if __name__ == "__main__":
    main()
