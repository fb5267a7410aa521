"""From a cancel request to the end of a task's whole process tree, against killing one such process oneself."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from databricks.sdk import WorkspaceClient
from measuring import (
    create_job,
    import_notebook,
    line,
    notebook_task,
    percentile,
    post,
    timed,
    workspace,
)

TIMES = 10
OBEDIENT = "import time; time.sleep(1000)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEDIENT}"
NOTEBOOK = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", dbutils.widgets.get("code")], start_new_session=True)
mark = dbutils.widgets.get("mark")
open(mark + ".part", "w").write(f"{os.getpid()} {child.pid}")
os.rename(mark + ".part", mark)
exec(dbutils.widgets.get("code"))
"""


def main() -> None:
    alone = statistics.median(kill_one() for _ in range(TIMES))
    with tempfile.TemporaryDirectory() as folder, workspace() as (_, client):
        import_notebook(client, "/Shared/sleeper", NOTEBOOK)
        for name, code in (("a task", OBEDIENT), ("one that ignores SIGTERM", STUBBORN)):
            taken = [cancel_one(client, Path(folder, "mark"), code) for _ in range(TIMES)]
            what = f"cancelling {name}, p95"
            line(what, percentile(taken, 95), 1000, "a plain kill", alone)


def kill_one() -> float:
    with subprocess.Popen([sys.executable, "-c", OBEDIENT]) as process:
        return timed(lambda: (process.kill(), process.wait()))


def cancel_one(client: WorkspaceClient, mark: Path, code: str) -> float:
    mark.unlink(missing_ok=True)
    job_id = create_job(client, notebook_task("/Shared/sleeper", mark=str(mark), code=code))
    run_id = int(post(client, "run-now", {"job_id": job_id})["run_id"])
    while not mark.exists():
        time.sleep(0.01)
    tree = [psutil.Process(int(pid)) for pid in mark.read_text().split()]

    def cancel() -> None:
        post(client, "runs/cancel", {"run_id": run_id})
        while any(process.is_running() for process in tree):
            time.sleep(0.005)

    return timed(cancel)


if __name__ == "__main__":
    main()
