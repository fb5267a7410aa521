"""Tasks that behave badly: they harm nobody, and their state tells what happened."""

from __future__ import annotations

import psutil
import pytest
from served import Served, result_of
from support.waiting import wait_until

MEGABYTE = 1024**2

FLOOD = """
import os
line = b"x" * 1023 + b"\\n"
for _ in range(128):
    os.write(1, line * 1024)
print("the last line")
"""

DAEMONS = """
import os, subprocess, sys
daemon = "import os, signal, time; os.fork(); signal.signal(signal.SIGTERM, signal.SIG_IGN);" \\
    "os.write(1, f'{os.getpid()} '.encode()); time.sleep(1000)"
launcher = f"import subprocess; subprocess.Popen(['{sys.executable}', '-c', {daemon!r}], start_new_session=True)"
for _ in range(3):
    subprocess.run([sys.executable, "-c", launcher], check=True)
"""
"""Each daemon is in a session of its own, ignores SIGTERM and has a child; its parent has ended."""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(1000)
"""


def test_a_flood_of_output_leaves_its_end(served: Served) -> None:
    run_id = served.start(FLOOD)
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    assert served.log(run_id).stat().st_size <= 16 * MEGABYTE
    output = served.client.jobs.get_run_output(run_id)
    assert output.logs is not None
    assert output.logs_truncated is True
    assert len(output.logs) == 5 * MEGABYTE
    lines = output.logs.splitlines()
    assert lines[-1] == "the last line"
    assert set(lines[1:-1]) == {"x" * 1023}


def test_the_workspace_answers_during_a_flood_which_can_be_cancelled(served: Served) -> None:
    run_id = served.start("import os\nwhile True: os.write(1, b'y' * 1000000)")
    log = served.log(run_id)
    wait_until(lambda: log.exists() and log.stat().st_size > MEGABYTE, "a megabyte of output")
    other = served.start("print('meanwhile')")
    assert result_of(served.ended(other)) == ("SUCCESS", "")
    served.client.jobs.cancel_run(run_id)
    assert result_of(served.ended(run_id))[0] == "CANCELED"
    assert served.log(run_id).stat().st_size <= 16 * MEGABYTE


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import os; os._exit(3)", "The task's process ended with exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "The task's process ended with signal SIGSEGV"),
        ("import os; os._exit(0)", "The task's process ended with exit code 0"),
        ("import os; os.kill(os.getpid(), 9)", "The task's process ended with signal SIGKILL"),
        ("import os; os.abort()", "The task's process ended with signal SIGABRT"),
    ],
)
def test_a_task_that_ends_its_own_process_has_failed(
    served: Served, source: str, error: str
) -> None:
    run_id = served.start("print('before', flush=True)\n" + source)
    state, message = result_of(served.ended(run_id))
    assert (state, message) == ("FAILED", "Workload failed, see run output for details")
    output = served.client.jobs.get_run_output(run_id)
    memory = " The machine may have run out of memory." if "SIGKILL" in error else ""
    assert output.error == f"{error} before the task had finished.{memory}"
    assert output.logs == "before\n"


def test_a_fork_of_a_task_says_nothing_for_it(served: Served) -> None:
    run_id = served.start(
        "import os\nif os.fork() == 0: raise OSError('child')\nprint(os.wait()[1])"
    )
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    logs = served.client.jobs.get_run_output(run_id).logs
    assert logs is not None
    assert "OSError: child" in logs
    assert logs.splitlines()[-1] == "256"
    # A task has no threads but its own, so Python has nothing to say about the fork.
    assert "Warning" not in logs


def test_daemons_that_a_task_leaves_behind_end_with_it(served: Served) -> None:
    wait = "import time\nwhile not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.01)"
    run_id = served.start(DAEMONS + wait)
    pids = served.printed_pids(run_id, 6)
    assert all(map(psutil.pid_exists, pids))
    task = served.client.jobs.get_run(run_id).tasks
    assert task is not None
    assert task[0].spark_python_task is not None
    script = task[0].spark_python_task.python_file
    (served.process.state.mounts / f"{script.removeprefix('/')}.go").touch()
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), "the end of its processes")


def test_cancelling_ends_daemons_too_and_what_ignores_sigterm(served: Served) -> None:
    run_id = served.start(DAEMONS + STUBBORN)
    pids = served.printed_pids(run_id, 6)
    served.client.jobs.cancel_run(run_id)
    assert result_of(served.ended(run_id)) == ("CANCELED", "Run cancelled.")
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), "the end of its processes")


def test_a_crowd_of_processes_ends_with_its_task(served: Served) -> None:
    """Each ignores SIGTERM, and each second one has left the task's process group."""
    source = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(40):
    if os.fork() == 0:
        if number % 2: os.setsid()
        os.write(1, f"{os.getpid()} ".encode())
        time.sleep(1000)
time.sleep(1000)
"""
    run_id = served.start(source)
    pids = served.printed_pids(run_id, 40)
    served.client.jobs.cancel_run(run_id)
    assert result_of(served.ended(run_id))[0] == "CANCELED"
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), "the end of its processes")


def test_a_result_of_10_mb_is_cut_and_says_so(served: Served) -> None:
    output = served.output(
        served.start_notebook("dbutils.notebook.exit('x' * 10_000_000)")
    ).notebook_output
    assert output is not None
    assert output.result == "x" * 5 * MEGABYTE
    assert output.truncated is True


def test_a_task_value_of_more_than_48_kb_is_refused(served: Served) -> None:
    source = "dbutils.jobs.taskValues.set('k', 'x' * 10_000_000)"
    error = served.output(served.start_notebook(source)).error
    assert error == (
        "ValueError: The task value 'k' has 10000002 bytes as JSON; the limit is 49152. "
        "Write it to a table or a volume and hand on its name."
    )


def test_text_that_is_no_unicode(served: Served) -> None:
    """A lone surrogate can neither be stored as UTF-8 nor be sent."""
    source = """
import os, sys
os.write(1, bytes(range(256)))
print("\\ud800 printed")
dbutils.jobs.taskValues.set("k", "\\ud800")
dbutils.notebook.exit("\\ud800 result")
"""
    run_id = served.start_notebook(source)
    assert served.output(run_id).as_dict()["notebook_output"]["result"] == "? result"
    assert "printed" in str(served.client.jobs.export_run(run_id).views)
    failed = served.output(served.start_notebook("raise ValueError('\\ud800')"))
    assert failed.error == "ValueError: ?"


def test_an_error_of_100_mb_is_cut(served: Served) -> None:
    error = served.output(served.start("raise ValueError('x' * 10_000_000)"))
    assert error.error is not None
    assert error.error_trace is not None
    assert len(error.error) < 11_000
    assert len(error.error_trace) <= 1_000_000


def test_a_task_that_writes_into_all_its_descriptors_harms_itself_only(served: Served) -> None:
    source = """
import os, stat
for descriptor in range(3, 64):
    for junk in (b"junk\\n", b"[1]\\n", b'{"event": {}}\\n', b"\\xff\\n"):
        try:
            os.write(descriptor, junk)
        except OSError:
            break
print("done")
"""
    run_id = served.start(source)
    assert result_of(served.ended(run_id)) == ("SUCCESS", "")
    assert result_of(served.ended(served.start("print('next')"))) == ("SUCCESS", "")


def test_a_message_without_end_is_the_tasks_failure(served: Served) -> None:
    source = """
import os, socket, stat
(channel,) = [n for n in range(3, 64) if os.path.exists(f"/proc/self/fd/{n}") and stat.S_ISSOCK(os.fstat(n).st_mode)]
while True:
    os.write(channel, b"x" * 1_000_000)
"""
    run_id = served.start(source)
    assert served.output(run_id).error == (
        "The task's process sent more than 134217728 bytes at once."
    )


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import sys; sys.stdout = sys.stderr = None; raise KeyError(1)", "KeyError: 1"),
        ("import sys; sys.stderr.close(); raise KeyError(1)", "KeyError: 1"),
        (
            "class E(Exception):\n    def __str__(self): raise SystemError('no text')\nraise E",
            "E: <exception str() failed>",
        ),
        ("raise BaseExceptionGroup('g', [KeyboardInterrupt()])", "BaseExceptionGroup: g"),
    ],
)
def test_an_error_is_told_although_the_task_makes_it_hard(
    served: Served, source: str, error: str
) -> None:
    found = served.output(served.start(source)).error
    assert found is not None
    assert found.startswith(error)
