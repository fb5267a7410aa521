"""`make run` and `make up` as a person starts them, on a state folder and ports of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
RUN = ROOT / "scripts" / "run.py"

Start = Callable[..., "subprocess.Popen[str]"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Starts the launcher; whatever is still there after the test is ended and reported."""
    started: list[subprocess.Popen[str]] = []

    def launch(mode: str, **environment: str) -> subprocess.Popen[str]:
        env = {
            **os.environ,
            "LOCAL_WORKSPACE_STATE": str(state),
            "LOCAL_WORKSPACE_PORT": str(free_port()),
            "AIRFLOW_PORT": str(free_port()),
            "SOURCE": "",
            "COUNTRIES": "",
            **environment,
        }
        process = subprocess.Popen(
            [sys.executable, str(RUN), mode],
            env=env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts what runs in its background with SIGINT ignored, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
    assert processes_of(state) == []


def processes_of(state: Path) -> list[str]:
    """The processes that work on the state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOCAL_WORKSPACE_STATE") == str(state):
                found.append(" ".join(process.cmdline()))
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found
