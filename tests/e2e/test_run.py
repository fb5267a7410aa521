"""The whole pipeline through a real Airflow: green, repaired, stopped, refused."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from scripted import scripted_workspace
from serving import Switchboard, serving
from support.airflow_bench import INGEST
from support.launcher import ROOT, Start, free_port, processes_of
from support.waiting import PATIENCE, wait_until

from local_workspace.client import connect
from local_workspace.settings import StateDir

OWID = ROOT.parent / "shared" / "data" / "owid"
SOURCE = str(OWID) if OWID.exists() else ""
"""The real files where they are beside the project, else the bundle's own."""


def test_run_repairs_what_fails_and_shows_the_result(start: Start, state: Path) -> None:
    """All that a whole run has to show, in one Airflow."""
    run = start("run", SOURCE=SOURCE, COUNTRIES="Switzerland,World")
    _read_until(run, "workspace +http")
    connect(StateDir(state)).api_client.do("POST", "/api/local/faults", body={"task": "load"})

    second = start("run", LOCAL_WORKSPACE_PORT=str(free_port()))
    _, refusal = second.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    assert f"Another `make run` or `make up` (process {run.pid}) uses this folder" in refusal

    out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, out + err
    assert re.search(r"^Switzerland +\d{4} ", out, re.MULTILINE), out
    charts = state / "mounts" / "Volumes" / "main" / "renewables" / "reports"
    names = sorted(path.name for path in charts.glob("*.png"))
    assert names == ["shw_CHE.png", "shw_OWID_WRL.png", "shw_overview.png"]
    assert processes_of(state) == []
    repaired = {"run": "failed", "repair": "success", "published": "success"}
    assert repaired in _ended_dag_runs(state)
    assert (["ORIGINAL", "REPAIR"], ["discover", "extract", "load", "load"]) in _ended_runs(state)


def _ended_dag_runs(state: Path) -> list[dict[str, str]]:
    """The task states of ingest's DAG runs, of which the schedule may have started one too."""
    query = "SELECT run_id, task_id, state FROM task_instance WHERE dag_id = ?"
    with closing(sqlite3.connect(state / "airflow" / "airflow.db")) as database:
        rows = database.execute(query, (INGEST,)).fetchall()
    return [
        {task: task_state for run, task, task_state in rows if run == run_id}
        for run_id in {row[0] for row in rows}
    ]


def _ended_runs(state: Path) -> list[tuple[list[str], list[str]]]:
    """The repair history and the tasks of each run of ingest."""
    board = Switchboard()
    with serving(board) as board.url, scripted_workspace(board, state) as kept:
        listed = kept.get("runs/list")["runs"]
        ids = [run["run_id"] for run in listed if run["run_name"] == INGEST]
        runs = [kept.get("runs/get", run_id=run_id, include_history="true") for run_id in ids]
    return [
        (
            [item["type"] for item in run["repair_history"]],
            sorted(task["task_key"] for task in run["tasks"]),
        )
        for run in runs
    ]


def test_a_port_in_use_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = start("run", LOCAL_WORKSPACE_PORT=port)
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert f"Port {port} is in use. Free it, or choose another with LOCAL_WORKSPACE_PORT." in err


def test_it_is_stopped_at_any_moment(start: Start, state: Path) -> None:
    run = start("up")
    _read_until(run, "deploy")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert processes_of(state) == []


def test_nothing_survives_when_the_launcher_is_killed(start: Start, state: Path) -> None:
    run = start("run")
    _read_until(run, "deploy")
    children = [process for process in processes_of(state) if process]
    assert children
    run.kill()
    run.communicate(timeout=PATIENCE)
    wait_until(lambda: not processes_of(state), "the end of what it has started")


def test_sql_says_when_no_workspace_runs(state: Path) -> None:
    command = [sys.executable, "-m", "local_workspace.cli", "sql", "SELECT 1"]
    env = {**os.environ, "LOCAL_WORKSPACE_STATE": str(state)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"No local workspace runs on {state}. Start one with `make workspace`" in done.stderr


def _read_until(run: subprocess.Popen[str], pattern: str) -> None:
    """Read what it prints up to a line with the pattern."""
    assert run.stdout is not None
    seen = []
    for line in run.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return
    raise AssertionError("".join(seen) + (run.stderr.read() if run.stderr else ""))
