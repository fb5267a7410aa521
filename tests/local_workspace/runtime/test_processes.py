"""How task processes start, stream, end and are ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.waiting import wait_until

from local_workspace.errors import LocalWorkspaceError
from local_workspace.execution.processes import TaskProcesses
from local_workspace.execution.task_process import Exit
from local_workspace.settings import StateDir

from .conftest import Runner

ENDED_WITH_ITS_SERVER = Exit(
    None, "SIGKILL", "The process that starts tasks ended (signal SIGKILL), and its tasks with it."
)
FOREVER = "import time\nprint('ready', flush=True)\ntime.sleep(1000)"


def is_gone(pid: int) -> bool:
    """Ended; a zombie that nobody has waited for yet has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_task_starts_runs_and_succeeds(runner: Runner) -> None:
    ended = runner.notebook("print('hello')")
    assert ended.exit == Exit(0, None)
    assert [event["event"] for event in ended.events] == ["started", "cell", "succeeded"]
    assert ended.output == "hello\n"


def test_output_streams_while_the_task_runs(runner: Runner, tmp_path: Path) -> None:
    go = tmp_path / "go"
    source = (
        f"import os, time\nprint('first')\nwhile not os.path.exists({str(go)!r}): time.sleep(.01)"
    )
    ended, task = runner.start_notebook(source)
    wait_until(lambda: ended.log.exists() and ended.output == "first\n", "the first line")
    assert not task.done()
    go.touch()
    wait_until(task.done, "the end of the task")
    assert ended.exit == Exit(0, None)


def test_no_line_of_much_output_is_lost(runner: Runner) -> None:
    ended = runner.notebook(
        "import sys\nfor i in range(20000): print(i, file=[sys.stdout, sys.stderr][i % 2])"
    )
    assert ended.output.splitlines() == [str(i) for i in range(20000)]


def test_output_of_subprocesses_is_in_the_log(runner: Runner) -> None:
    assert (
        runner.notebook("import os\nos.system('echo from a shell')").output
        == "from a shell\n0"[:-1]
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os; os._exit(3)", Exit(3, None)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", Exit(None, "SIGKILL")),
        ("import ctypes; ctypes.string_at(0)", Exit(None, "SIGSEGV")),
    ],
)
def test_a_process_that_ends_itself_says_nothing_more(
    runner: Runner, source: str, expected: Exit
) -> None:
    ended = runner.notebook(source)
    assert ended.exit == expected
    assert [event["event"] for event in ended.events] == ["started"]


def test_cancelling_ends_a_task_that_ignores_sigterm(runner: Runner) -> None:
    ignore = (
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid())\n"
    )
    ended, task = runner.start_notebook(ignore + FOREVER)
    wait_until(lambda: ended.log.exists() and "ready" in ended.output, "the running task")
    runner.cancel(task)
    assert is_gone(int(ended.output.split()[0]))
    assert task.cancelled()


def test_cancelling_ends_the_whole_tree(runner: Runner) -> None:
    children = """
import os, subprocess
sleep = ["bash", "-c", "trap '' TERM; echo $$; while true; do sleep 1; done"]
subprocess.Popen(sleep)
subprocess.Popen(sleep, start_new_session=True)
if os.fork() == 0:
    print(os.getpid(), flush=True)
"""
    ended, task = runner.start_notebook(children + FOREVER)

    def pids() -> list[int]:
        lines = ended.output.splitlines() if ended.log.exists() else []
        return [int(line) for line in lines if line.isdigit()]

    wait_until(lambda: len(pids()) == 3 and ended.output.count("ready") == 2, "its processes")
    runner.cancel(task)
    wait_until(lambda: all(map(is_gone, pids())), "the end of its processes")


def test_children_that_a_task_leaves_behind_are_ended(runner: Runner) -> None:
    ended = runner.notebook("import subprocess\nprint(subprocess.Popen(['sleep', '1000']).pid)")
    assert ended.exit == Exit(0, None)
    wait_until(lambda: is_gone(int(ended.output)), "the end of its child")


def test_twenty_tasks_at_once_are_apart(runner: Runner) -> None:
    source = "import os, random, numpy\nprint(os.getpid(), random.random(), numpy.random.rand())"
    started = [runner.start_notebook(source) for _ in range(20)]
    for _, task in started:
        wait_until(task.done, "the end of the task")
    assert all(ended.exit == Exit(0, None) for ended, _ in started)
    columns = zip(*(ended.output.split() for ended, _ in started), strict=True)
    assert [len(set(column)) for column in columns] == [20, 20, 20]


def test_an_error_of_the_listener_ends_the_task(runner: Runner) -> None:
    def listen(event: dict[str, object]) -> None:
        raise RuntimeError(f"cannot take {event['event']}")

    spec = {"kind": "notebook", "name": "nb", "source": FOREVER, "log": os.devnull}
    filled = {**spec, "env": {}, "sys_path": [], "spark_remote": runner.remote}
    with pytest.raises(RuntimeError, match="cannot take started"):
        runner.wait(runner.processes.run(filled, listen))


def test_tasks_end_with_the_fork_server_and_the_next_starts_another(runner: Runner) -> None:
    ended, task = runner.start_notebook("import os\nprint(os.getppid(), os.getpid())\n" + FOREVER)
    wait_until(lambda: ended.log.exists() and "ready" in ended.output, "the running task")
    server, child = map(int, ended.output.split()[:2])
    os.kill(server, signal.SIGKILL)
    wait_until(task.done, "the end of the task")
    assert ended.exit == ENDED_WITH_ITS_SERVER
    wait_until(lambda: is_gone(child), "the end of the task's child")
    assert runner.notebook("pass").exit == Exit(0, None)


def test_a_fork_server_that_dies_with_a_request_unread_is_followed_by_another(
    runner: Runner,
) -> None:
    """A Unix socket that is closed with unread data resets its other end."""
    server = int(runner.notebook("import os; print(os.getppid())").output)
    os.kill(server, signal.SIGSTOP)
    ended, task = runner.start_notebook("pass")
    wait_until(ended.log.exists, "the log of the task")
    os.kill(server, signal.SIGKILL)
    wait_until(task.done, "the end of the task")
    assert ended.exit == ENDED_WITH_ITS_SERVER
    assert runner.notebook("pass").exit == Exit(0, None)


SERVER = """
import asyncio, sys
from pathlib import Path
from local_workspace.execution.processes import TaskProcesses
from local_workspace.settings import StateDir

async def main(folder):
    spec = {"kind": "notebook", "name": "nb", "source": sys.argv[2], "log": folder + "/log"}
    processes = TaskProcesses(StateDir(Path(folder)), preload=())
    await processes.run({**spec, "env": {}, "sys_path": [], "spark_remote": ""}, print)

asyncio.run(main(sys.argv[1]))
"""


def test_nothing_outlives_a_workspace_that_is_killed(tmp_path: Path) -> None:
    source = "import os\nprint(os.getppid(), os.getpid())\n" + FOREVER
    log = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, tmp_path, source],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as workspace:
        wait_until(lambda: log.exists() and "ready" in log.read_text(), "the running task")
        pids = [int(word) for word in log.read_text().split()[:2]]
        workspace.kill()
        wait_until(lambda: all(map(is_gone, pids)), "the end of the task's processes")
        assert workspace.stderr is not None
        # A fork of a process with threads would be warned of here.
        assert workspace.stderr.read() == ""


def test_a_process_that_is_killed_before_it_read_its_task(runner: Runner) -> None:
    spec = {"kind": "notebook", "name": "nb", "source": "pass" + " " * 10_000_000}

    async def kill_at_once() -> tuple[list[object], Exit]:
        process = await runner.processes.open(spec)
        ending = asyncio.create_task(process.end())
        said = [event async for event in process.events()]
        await ending
        await process.close()
        return said, await process.wait()

    assert runner.wait(kill_at_once()) == ([], Exit(None, "SIGTERM"))


def test_starting_can_be_given_up(tmp_path: Path) -> None:
    async def give_up() -> None:
        processes = TaskProcesses(StateDir(tmp_path), preload=())
        starting = asyncio.create_task(processes.start())
        await asyncio.sleep(0)
        while not (started := set(psutil.Process().children()) - before):
            await asyncio.sleep(0.005)
        starting.cancel()
        await asyncio.wait([starting])
        assert all(is_gone(child.pid) for child in started)
        await processes.stop()

    before = set(psutil.Process().children())
    asyncio.run(give_up())


def test_a_fork_server_that_cannot_start_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text("raise ImportError('no such library')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.syspath_prepend(tmp_path)
        processes = TaskProcesses(StateDir(tmp_path), preload=("broken",))
        with pytest.raises(LocalWorkspaceError, match="ended with exit code 1 before it was ready"):
            asyncio.run(processes.start())
    assert "no such library" in capfd.readouterr().err
