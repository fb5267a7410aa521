"""The whole pipeline through a real Airflow: green, repaired, stopped, refused."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.airflow_bench import INGEST, Airflow, DagRun, until
from support.launcher import ROOT, Start, free_port, processes_of

from local_workspace.client import connect
from local_workspace.settings import StateDir
from local_workspace.statement import rows_of

OWID = ROOT.parent / "shared" / "data" / "owid"


@pytest.mark.skipif(not OWID.exists(), reason="the OWID files are not beside the project")
def test_run_on_the_real_files(start: Start, state: Path) -> None:
    run = start("run", SOURCE=str(OWID), COUNTRIES="Switzerland,World")
    out, err = run.communicate(timeout=240)

    assert run.returncode == 0, out + err
    assert re.search(r"^Switzerland +\d{4} ", out, re.MULTILINE), out
    charts = state / "mounts" / "Volumes" / "main" / "renewables" / "reports"
    names = sorted(path.name for path in charts.glob("*.png"))
    assert names == ["shw_CHE.png", "shw_OWID_WRL.png", "shw_overview.png"]
    assert processes_of(state) == []


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
    up.communicate(timeout=60)
    assert up.returncode == 130
    assert processes_of(state) == []


def test_a_port_in_use_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = start("run", LOCAL_WORKSPACE_PORT=port)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert f"Port {port} is in use. Free it, or choose another with LOCAL_WORKSPACE_PORT." in err


def test_a_second_run_is_refused_and_the_first_is_stopped_at_any_moment(
    start: Start, state: Path
) -> None:
    first = start("run")
    assert first.stdout is not None
    for line in first.stdout:
        if "deploy" in line:
            break
    second = start("run", LOCAL_WORKSPACE_PORT=str(free_port()))
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"Another `make run` or `make up` (process {first.pid}) uses this folder" in err

    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode == 130
    assert processes_of(state) == []


def test_nothing_survives_when_the_launcher_is_killed(start: Start, state: Path) -> None:
    run = start("run")
    assert run.stdout is not None
    for line in run.stdout:
        if "deploy" in line:
            break
    children = [process for process in processes_of(state) if process]
    assert children
    run.kill()
    run.communicate(timeout=60)
    until(lambda: not processes_of(state), "the end of what it has started")


def test_sql_says_when_no_workspace_runs(state: Path) -> None:
    command = [sys.executable, "-m", "local_workspace.cli", "sql", "SELECT 1"]
    env = {**os.environ, "LOCAL_WORKSPACE_STATE": str(state)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"No local workspace runs on {state}. Start one with `make workspace`" in done.stderr


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
