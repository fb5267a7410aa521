"""`make up` before a real Airflow: repaired, left running, ended by Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from support.airflow_bench import INGEST, Airflow, DagRun
from support.launcher import Start, processes_of, start, state
from support.waiting import PATIENCE

from local_workspace.client import connect
from local_workspace.settings import StateDir
from local_workspace.statement import rows_of

__all__ = ["start", "state"]


def test_a_task_that_fails_once_is_repaired_and_the_dag_is_green(start: Start, state: Path) -> None:
    up = start("up")
    airflow_url, password = _until_up(up)
    client = connect(StateDir(state))
    client.api_client.do("POST", "/api/local/faults", body={"task": "load"})

    airflow = Airflow(int(airflow_url.rsplit(":", 1)[1]))
    airflow.password = password
    assert airflow._logged_in()
    dag_run = DagRun(airflow, INGEST, airflow.trigger(INGEST))
    assert dag_run.end() == {"run": "failed", "repair": "success", "published": "success"}
    job_runs: Any = client.api_client.do(
        "GET", "/api/2.2/jobs/runs/list", query={"expand_tasks": "true"}
    )
    repaired = next(r for r in job_runs["runs"] if _airflow_run_id(r) == dag_run.run_id)
    history = client.jobs.get_run(repaired["run_id"], include_history=True).repair_history or []
    assert [item.type.value for item in history if item.type] == ["ORIGINAL", "REPAIR"]
    assert sorted(task["task_key"] for task in repaired["tasks"]) == [
        "discover",
        "extract",
        "load",
        "load",
    ]
    _, rows = rows_of(
        client, "SELECT count(*), count(DISTINCT entity, year) FROM main.renewables.gold_shw_share"
    )
    assert rows[0][0] == rows[0][1] != "0"

    up.send_signal(signal.SIGINT)
    up.communicate(timeout=PATIENCE)
    assert up.returncode == 130
    assert processes_of(state) == []


def _until_up(up: subprocess.Popen[str]) -> tuple[str, str]:
    """Airflow's address and password, printed when both DAGs have succeeded."""
    assert up.stdout is not None
    seen = []
    for line in up.stdout:
        seen.append(line)
        found = re.match(r"Airflow +(\S+) +\(user admin, password (\S+)\)", line)
        if found:
            return found[1], found[2]
    raise AssertionError("".join(seen) + (up.stderr.read() if up.stderr else ""))


def _airflow_run_id(run: dict[str, Any]) -> str:
    parameters = {p["name"]: p.get("value", "") for p in run.get("job_parameters", ())}
    return str(parameters.get("airflow_run_id", json.dumps(None)))
