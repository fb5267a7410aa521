"""How fast runs are shown: 200 that wait, each polled every second, and a list of 1,000 that have ended."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from databricks.sdk import WorkspaceClient
from measuring import (
    Connection,
    Json,
    create_job,
    line,
    notebook_task,
    percentile,
    post,
    timed,
    workspace,
)

WAITING = 200
POLLERS = 4
SECONDS = 10
FINISHED = 1000
FEW = 10
LIST = "/api/2.2/jobs/runs/list?limit=25"

HOLDS: Json = {"op": "EQUAL_TO", "left": "1", "right": "1"}


def main() -> None:
    with workspace() as (_, client):
        finished(client)
        waiting(client)


def finished(client: WorkspaceClient) -> None:
    """The first page of the list, against the same when there are few runs."""
    job_id = create_job(client, {"condition_task": HOLDS})
    connection = Connection(client)
    pages = []
    for count in (FEW, FINISHED - FEW):
        for _ in range(count):
            post(client, "run-now", {"job_id": job_id})
        while connection.get(f"{LIST}&active_only=true").get("runs"):
            time.sleep(0.1)
        pages.append([timed(lambda: connection.get(LIST)) for _ in range(100)])
    few, many = pages
    for percent in (50, 99):
        what = f"runs/list of {FINISHED} runs, first page, p{percent}"
        line(what, percentile(many, percent), 50, f"of {FEW} runs", percentile(few, percent))


def waiting(client: WorkspaceClient) -> None:
    """runs/get while all runs wait for a retry, against one client that polls one run."""
    patient = {"max_retries": 1, "min_retry_interval_millis": 3_600_000}
    job_id = create_job(client, {**notebook_task("/Shared/missing"), **patient})
    runs = [int(post(client, "run-now", {"job_id": job_id})["run_id"]) for _ in range(WAITING)]
    connection = Connection(client)
    states = {connection.get(get(run_id))["tasks"][-1]["status"]["state"] for run_id in runs}
    assert states == {"WAITING"}, states
    alone = [timed(lambda: connection.get(get(runs[0]))) for _ in range(200)]
    with ThreadPoolExecutor(POLLERS) as pool:
        polled = pool.map(lambda n: poll(client, runs[n::POLLERS]), range(POLLERS))
        together = [milliseconds for each in polled for milliseconds in each]
    for percent, limit in ((50, None), (99, 50)):
        what = f"runs/get, {WAITING} polled every second, p{percent}"
        line(what, percentile(together, percent), limit, "one polled", percentile(alone, percent))


def poll(client: WorkspaceClient, runs: list[int]) -> list[float]:
    """Each run once a second, evenly spread."""
    connection = Connection(client)
    start = time.monotonic()
    taken = []
    for number in range(SECONDS * len(runs)):
        time.sleep(max(0.0, start + number / len(runs) - time.monotonic()))
        path = get(runs[number % len(runs)])
        taken.append(timed(lambda path=path: connection.get(path)))  # type: ignore[misc]
    return taken


def get(run_id: int) -> str:
    return f"/api/2.2/jobs/runs/get?run_id={run_id}"


if __name__ == "__main__":
    main()
