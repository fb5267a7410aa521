"""The log of a task on a disk that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_workspace.runtime.task_log import TaskLog

SIZE = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(tmp_path)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only root on Linux can mount a small file system")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def new_log(file: Path) -> TaskLog:
    return TaskLog(os.open(file, os.O_RDWR | os.O_CREAT))


def say(log: TaskLog, text: str) -> None:
    os.write(log.pipe_end, text.encode())
    log.copy()


def fill(disk: Path) -> Path:
    """All that is left of the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                return filler


def test_output_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    log = new_log(small_disk / "log")
    say(log, "first\n")
    filler = fill(small_disk)
    say(log, "x" * 8000)
    filler.unlink()
    say(log, "last\n")
    log.finish()
    assert (small_disk / "log").read_text() == (
        "first\n\n[8000 bytes of output were lost: No space left on device]\nlast\n"
    )


def test_the_end_of_a_log_says_what_is_lost_although_the_disk_is_full(small_disk: Path) -> None:
    log = new_log(small_disk / "log")
    say(log, "x" * 4096)
    fill(small_disk)
    say(log, "lost")
    log.finish()
    written = (small_disk / "log").read_text()
    assert written.endswith("xxx\n[4 bytes of output were lost: No space left on device]\n")
    assert len(written) == 4096
