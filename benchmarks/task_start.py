"""From run-now's answer to the first line of user code, in a notebook and in a wheel, against a cold process."""

from __future__ import annotations

import statistics
import tempfile
import time
import zipfile
from pathlib import Path

from databricks.sdk import WorkspaceClient
from measuring import (
    Json,
    cold_start,
    create_job,
    import_notebook,
    line,
    notebook_task,
    percentile,
    post,
    wait_for,
    workspace,
)

RUNS = 60
MARK = "import time; first = time.time()\n"
NOTEBOOK = MARK + "open(dbutils.widgets.get('mark'), 'w').write(str(first))"
MODULE = f"def main():\n    {MARK}    import sys; open(sys.argv[1], 'w').write(str(first))"
METADATA = "Metadata-Version: 2.1\nName: first\nVersion: 1\n"
ENTRY_POINTS = "[packages]\nmain = first:main\n"


def main() -> None:
    cold = statistics.median(cold_start() for _ in range(3))
    with tempfile.TemporaryDirectory() as folder, workspace() as (served, client):
        mark = Path(folder, "mark")
        import_notebook(client, "/Shared/first", NOTEBOOK)
        tasks = {
            "notebook": notebook_task("/Shared/first", mark=str(mark)),
            "wheel": wheel_task(served.state.mounts, str(mark)),
        }
        for name, task in tasks.items():
            measure(client, name, task, mark, cold)


def measure(client: WorkspaceClient, name: str, task: Json, mark: Path, cold: float) -> None:
    environment = {"environment_key": "default", "spec": {"environment_version": "4"}}
    job_id = create_job(client, task, environments=[environment])
    delays = [delay(client, job_id, mark) for _ in range(RUNS)]
    for percent, limit in ((50, 150), (95, 400)):
        what = f"{name}: run-now to user code, p{percent}"
        line(what, percentile(delays, percent), limit, "a cold process", cold)


def delay(client: WorkspaceClient, job_id: int, mark: Path) -> float:
    """Milliseconds from the answer on."""
    run_id = int(post(client, "run-now", {"job_id": job_id})["run_id"])
    answered = time.time()
    wait_for(client, run_id)
    return (float(mark.read_text()) - answered) * 1000


def wheel_task(mounts: Path, mark: str) -> Json:
    """A wheel of one function, as a bundle would have deployed it."""
    wheel = mounts / "Workspace" / "Shared" / "first-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("first.py", MODULE)
        archive.writestr("first-1.dist-info/METADATA", METADATA)
        archive.writestr("first-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("first-1.dist-info/entry_points.txt", ENTRY_POINTS)
        archive.writestr("first-1.dist-info/RECORD", "")
    task = {"package_name": "first", "entry_point": "main", "parameters": [mark]}
    library = {"whl": f"/Workspace/Shared/{wheel.name}"}
    return {"python_wheel_task": task, "libraries": [library]}


if __name__ == "__main__":
    main()
