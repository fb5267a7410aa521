"""Many DAG runs deferred at once on one triggerer, before the local workspace: is any lost, and what does it cost?

    uv run python benchmarks/airflow_deferred.py [--runs 200] [--polling 30]

Prints the triggerer's memory with and without the runs, and how many requests per minute the workspace gets for them.
All runs but one wait in the job's queue, so the workspace executes nothing meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.airflow_bench import ENDED, NOTEBOOK, PARAMETERS, Bench, SmallJob

DAG_ID = "crowd"
MANY = 1_000_000
GET_RUN = "/api/2.2/jobs/runs/get"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--polling", type=int, default=30, help="seconds between two polls")
    given = parser.parse_args()
    settings = {"AIRFLOW__RENEWABLES__POLLING_PERIOD_SECONDS": str(given.polling)}
    with tempfile.TemporaryDirectory(prefix="airflow-deferred-") as folder:
        bench = Bench(Path(folder), settings)
        try:
            bench.start()
            measure(bench, given.runs)
        finally:
            bench.stop()


def measure(bench: Bench, runs: int) -> None:
    job = queueing_job(bench)
    bench.client.jobs.run_now(job.job_id, job_parameters={"source_uri": "hold"})
    bench.assign({"ingest": job.job_id})
    alone = triggerer_megabytes(bench)
    seconds = timed(lambda: defer_all(bench, runs))
    print(f"{runs} runs deferred after {seconds:.0f} s")
    print(f"triggerer: {alone:.0f} MB without runs, {triggerer_megabytes(bench):.0f} MB with")
    print(f"requests to {GET_RUN}: {requests_per_minute(bench)} per minute")
    job.open_gate()
    seconds = timed(lambda: wait_for(lambda: count_states(bench, *ENDED) == runs))
    print(f"all ended {seconds:.0f} s after the job; {count_states(bench, 'success')} succeeded")
    print(f"job runs: {len(job.runs()) - 1}")


def queueing_job(bench: Bench) -> SmallJob:
    """One run at a time; those that are not told to hold do nothing and succeed."""
    job = bench.job(is_open=False, max_concurrent_runs=1, queue={"enabled": True})
    tasks = [
        {
            "task_key": "holds",
            "condition_task": {
                "op": "EQUAL_TO",
                "left": "{{job.parameters.source_uri}}",
                "right": "hold",
            },
        },
        {
            "task_key": "hold",
            "depends_on": [{"task_key": "holds", "outcome": "true"}],
            "notebook_task": {
                "notebook_path": NOTEBOOK,
                "base_parameters": {"table": job.table, "task": "hold", "gate": job.gate},
            },
        },
    ]
    settings = {
        "name": "crowd",
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "parameters": [{"name": name, "default": ""} for name in PARAMETERS],
        "tasks": tasks,
    }
    body = {"job_id": job.job_id, "new_settings": settings}
    bench.client.api_client.do("POST", "/api/2.2/jobs/reset", body=body)
    return job


def defer_all(bench: Bench, runs: int) -> None:
    """Paused while they are triggered, since SQLite takes one writer at a time."""
    for _ in range(runs):
        bench.trigger_dag(DAG_ID)
    bench.set_paused(DAG_ID, False)
    wait_for(lambda: deferred(bench) == runs)


def deferred(bench: Bench) -> int:
    path = f"dags/{DAG_ID}/dagRuns/~/taskInstances?state=deferred&limit=1"
    return int(bench.airflow.call("GET", path)["total_entries"])


def count_states(bench: Bench, *states: str) -> int:
    path = f"dags/{DAG_ID}/dagRuns?limit=1&" + "&".join(f"state={state}" for state in states)
    return int(bench.airflow.call("GET", path)["total_entries"])


def triggerer_megabytes(bench: Bench) -> float:
    """What its processes have to themselves, so that shared pages count once."""
    processes = bench.processes_of("triggerer")
    return sum(process.memory_full_info().uss for process in processes) / 1e6


def requests_per_minute(bench: Bench, minutes: int = 1) -> int:
    """A fault that does nothing counts them."""
    bench.fault(endpoint=GET_RUN, times=MANY)
    time.sleep(60 * minutes)
    (counter,) = bench.faults()
    bench.clear_faults()
    return round((MANY - counter["times"]) / minutes)


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.5)


if __name__ == "__main__":
    main()
