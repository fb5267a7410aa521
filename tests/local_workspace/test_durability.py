"""Workspaces are killed at 50 random points; after each restart nothing is lost and nothing is left over.

The points come from a seed that is printed; `DURABILITY_SEED` sets another. Two workspaces live and die at the same
time, because most of a life is waiting for processes.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import sqlite3
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat, Language
from scripted import ScriptedWorkspace, notebook, results, scripted_workspace
from serving import Switchboard
from support.forked_workspace import ForkedWorkspace, forked_workspace
from support.launcher import processes_of
from support.waiting import PATIENCE, wait_until

from local_workspace.execution.attempt import SUCCEEDED
from local_workspace.models.run_result import CANCELED

WORKSPACES = 2
KILLS = 50 // WORKSPACES
SEED = int(os.environ.get("DURABILITY_SEED", "20261121"))
LOST = "The local workspace ended while this was running. Repair the run to go on."

NOTEBOOK = """# Databricks notebook source
import os, subprocess, time
sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
subprocess.Popen(["python3", "-c", sleeper], start_new_session=True)
open(dbutils.widgets.get("marks") + f"/{os.getpid()}", "w").close()
time.sleep(0.1)
if dbutils.widgets.get("attempt") == "1":
    raise ValueError("the first attempt fails")
"""
"""Leaves a child behind that ignores SIGTERM, marks that it ran, and succeeds at the second attempt."""


def condition(key: str, left: str, **settings: Any) -> dict[str, Any]:
    test = {"op": "GREATER_THAN_OR_EQUAL", "left": left, "right": "0"}
    return {"task_key": key, "condition_task": test, **settings}


def after(*keys: str) -> dict[str, Any]:
    return {"depends_on": [{"task_key": key} for key in keys]}


def decisions(child_id: int) -> dict[str, Any]:
    """A job that needs no process: it fails unless `n` is a number, and then tries in vain to tell somebody."""
    loop = {"inputs": "[1,2,3,4,5,6]", "concurrency": 2, "task": condition("each", "{{input}}")}
    tell = {"task_key": "tell", "notebook_task": {"notebook_path": "/Shared/missing"}}
    retries = {"max_retries": 2, "min_retry_interval_millis": 40}
    return {
        "name": "decisions",
        "parameters": [{"name": "n", "default": "no number"}],
        "max_concurrent_runs": 10,
        "queue": {"enabled": True},
        "tasks": [
            {"task_key": "loop", "for_each_task": loop},
            {"task_key": "child", "run_job_task": {"job_id": child_id}},
            condition("check", "{{job.parameters.n}}"),
            {**tell, **retries, **after("check"), "run_if": "AT_LEAST_ONE_FAILED"},
            condition("last", "1", **after("loop", "child", "check", "tell")),
        ],
    }


def processes(marks: Path) -> dict[str, Any]:
    """A job whose tasks run in processes, with retries and a for-each."""
    parameters = {"marks": str(marks), "attempt": "{{task.execution_count}}"}
    notebook = {"notebook_path": "/Shared/task", "base_parameters": parameters}
    inner = {"task_key": "each", "notebook_task": notebook, "max_retries": 1}
    loop = {"inputs": "[1,2,3]", "concurrency": 2, "task": inner}
    return {
        "name": "processes",
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "tasks": [
            {"task_key": "first", "notebook_task": notebook, "max_retries": 1},
            {"task_key": "loop", "for_each_task": loop},
            condition("last", "1", **after("first", "loop")),
        ],
    }


CHILD = {"name": "child", "tasks": [condition("only", "1")], "max_concurrent_runs": 100}


@dataclass
class Ledger:
    """What the clients of all lives of the workspace know: token -> run, of each run that was answered."""

    runs: dict[str, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)


class Raw:
    """Requests without the SDK's retries: a killed workspace shows at once."""

    def __init__(self, client: WorkspaceClient) -> None:
        self._address = client.config.host.partition("://")[2]
        self._headers = client.config.authenticate()

    def __call__(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with closing(http.client.HTTPConnection(self._address, timeout=PATIENCE)) as connection:
            connection.request(method, f"/api/2.2/jobs/{path}", json.dumps(body), self._headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


@dataclass
class Script:
    """What clients do to the workspace until it is killed."""

    call: Raw
    chance: random.Random
    ledger: Ledger
    jobs: dict[str, int]
    failed: list[int]
    earlier: list[int]

    def play(self) -> None:
        """Ends when the workspace does."""
        try:
            for name in ("processes", "decisions", "decisions"):
                self._run_now(name)
            while True:
                self._repair()
                self._cancel()
                self._run_now("decisions")
                time.sleep(0.1)
        except (OSError, http.client.HTTPException):
            return

    def _run_now(self, name: str) -> None:
        token = f"{self.chance.getrandbits(64):016x}"
        body = {"job_id": self.jobs[name], "idempotency_token": token}
        self.ledger.unanswered.append(token)
        status, answer = self.call("POST", "run-now", body)
        assert status == 200, answer
        self.ledger.runs[token] = answer["run_id"]
        self.ledger.unanswered.remove(token)

    def _repair(self) -> None:
        """The run may be active again: another repair of it was under way when the last life ended."""
        if self.failed:
            run_id = self.failed.pop()
            body = {"run_id": run_id, "rerun_all_failed_tasks": True}
            status, answer = self.call(
                "POST", "runs/repair", {**body, "job_parameters": {"n": "1"}}
            )
            assert status == 200 or "latest repair ID" in answer["message"], answer

    def _cancel(self) -> None:
        if self.earlier and self.chance.random() < 0.2:
            run_id = self.chance.choice(self.earlier)
            status, answer = self.call("POST", "runs/cancel", {"run_id": run_id})
            assert status == 200, answer


class Books:
    """The database as it is on disk, seen by another process at one moment."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            self.runs = {r["run_id"]: dict(r) for r in connection.execute("SELECT * FROM runs")}
            self.violations = {
                name: [tuple(row) for row in rows]
                for name, query in INVARIANTS.items()
                if (rows := connection.execute(query).fetchall())
            }
            active = connection.execute("SELECT job_run_id FROM task_runs WHERE end_time = 0")
            self.with_active_tasks = {row["job_run_id"] for row in active}
            self.tokens = {
                row["token"]: row["run_id"]
                for row in connection.execute("SELECT * FROM idempotency_tokens")
            }

    def with_phase(self, *phases: str) -> set[int]:
        return {run_id for run_id, run in self.runs.items() if run["phase"] in phases}


INVARIANTS = {
    "an active task run in a run that has ended": """
        SELECT t.run_id FROM task_runs t JOIN runs r ON r.run_id = t.job_run_id
        WHERE t.phase <> 'TERMINATED' AND r.phase = 'TERMINATED'""",
    "an active iteration of a for-each that has ended": """
        SELECT i.run_id FROM task_runs i JOIN task_runs t ON t.run_id = i.for_each_run_id
        WHERE i.phase <> 'TERMINATED' AND t.phase = 'TERMINATED'""",
    "a task of a run that is queued": """
        SELECT t.run_id FROM task_runs t JOIN runs r ON r.run_id = t.job_run_id
        WHERE r.phase = 'QUEUED'""",
    "a run without an outcome, or without an end": """
        SELECT run_id FROM runs WHERE (phase = 'TERMINATED') <> (end_time > 0)
        OR (phase IN ('TERMINATED', 'TERMINATING')) <> (outcome IS NOT NULL)""",
    "a task run without an outcome, or without an end": """
        SELECT run_id FROM task_runs WHERE (phase = 'TERMINATED') <> (end_time > 0)
        OR (phase IN ('TERMINATED', 'TERMINATING')) <> (outcome IS NOT NULL)""",
    "a run that has ended and its execution has not, or the other way": """
        SELECT r.run_id FROM runs r LEFT JOIN executions e ON e.run_id = r.run_id AND e.number =
        (SELECT max(number) FROM executions WHERE run_id = r.run_id)
        WHERE e.run_id IS NULL OR (r.phase = 'TERMINATED') <> (e.end_time > 0)""",
    "two active attempts of the same task": """
        SELECT job_run_id, task_key, iteration FROM task_runs WHERE phase <> 'TERMINATED'
        GROUP BY job_run_id, task_key, iteration HAVING count(*) > 1""",
    "a damaged file": "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "a row without its parent": "SELECT * FROM pragma_foreign_key_check",
}


@dataclass
class Trial:
    """One workspace through all its lives."""

    served: ForkedWorkspace
    marks: Path
    chance: random.Random
    clients: Executor
    ledger: Ledger = field(default_factory=Ledger)
    jobs: dict[str, int] = field(default_factory=dict)
    queued: set[int] = field(default_factory=set)

    def set_up(self, client: WorkspaceClient) -> None:
        client.workspace.mkdirs("/Shared")
        client.workspace.import_(
            "/Shared/task",
            content=base64.b64encode(NOTEBOOK.encode()).decode(),
            format=ImportFormat.SOURCE,
            language=Language.PYTHON,
        )
        raw = Raw(client)
        child_id = raw("POST", "create", CHILD)[1]["job_id"]
        for job in (decisions(child_id), processes(self.marks)):
            self.jobs[job["name"]] = raw("POST", "create", job)[1]["job_id"]

    def live_and_die(self, client: WorkspaceClient, *, with_processes: bool) -> Books:
        """The books of the workspace's last moment."""
        runs = self._books().runs
        failed = [run_id for run_id, run in runs.items() if self._is_repairable(run)]
        self._fill_queue(Raw(client), runs)
        earlier = list(self.ledger.runs.values())[-20:]
        script = Script(Raw(client), self.chance, self.ledger, self.jobs, failed[-20:], earlier)
        playing = self.clients.submit(script.play)
        try:
            if with_processes:
                ran = len(list(self.marks.iterdir()))
                wait_until(lambda: len(list(self.marks.iterdir())) > ran, "a task's process")
            time.sleep(self.chance.uniform(0, 0.2))
        finally:
            self.served.kill()
        playing.result()
        self._check_processes()
        return self._books()

    def _fill_queue(self, call: Raw, runs: dict[int, dict[str, Any]]) -> None:
        """However early the kill, one run of the processes waits while another is killed."""
        job_id = self.jobs["processes"]
        active = sum(
            run["job_id"] == job_id and run["phase"] != "TERMINATED" for run in runs.values()
        )
        for _ in range(2 - active):
            status, answer = call("POST", "run-now", {"job_id": job_id})
            assert status == 200, answer

    def _check_processes(self) -> None:
        """No task, fork server or engine survives."""
        root = self.served.state.root
        wait_until(lambda: not processes_of(root), "the end of all processes")

    def check_restart(self, call: Raw, before: Books) -> None:
        """What the books said at the workspace's death, and what it makes of them."""
        now = self._books()
        assert before.violations == {}
        assert now.violations == {}
        assert before.runs.keys() <= now.runs.keys()
        assert before.with_phase("TERMINATED") <= now.with_phase("TERMINATED")
        for run_id in before.with_phase("QUEUED"):
            assert now.runs[run_id]["message"] != LOST
        executing = before.with_phase("PENDING", "RUNNING")
        for run_id in executing & before.with_active_tasks:
            self._check_lost(call("GET", f"runs/get?run_id={run_id}", {})[1])
        for run_id in executing - before.with_active_tasks:
            assert now.runs[run_id]["message"] != LOST
        for run_id in before.with_phase("TERMINATING"):
            assert now.runs[run_id]["outcome"] == "CANCELED"
        assert self.ledger.runs.items() <= now.tokens.items()
        self._check_tokens(call, before)
        self.queued |= before.with_phase("QUEUED")

    def _check_lost(self, run: dict[str, Any]) -> None:
        assert run["state"]["life_cycle_state"] == "INTERNAL_ERROR", run
        assert run["state"]["state_message"] == LOST

    def _check_tokens(self, call: Raw, before: Books) -> None:
        """A request whose answer was lost is sent again: it starts a run only where it had not.

        One whose answer was not lost is sent again as well.
        """
        answered = self.chance.sample(sorted(self.ledger.runs), k=min(1, len(self.ledger.runs)))
        for token in (*self.ledger.unanswered, *answered):
            body = {"job_id": self.jobs["decisions"], "idempotency_token": token}
            status, answer = call("POST", "run-now", body)
            assert status == 200, answer
            assert before.tokens.get(token, answer["run_id"]) == answer["run_id"]
            self.ledger.runs[token] = answer["run_id"]
        self.ledger.unanswered.clear()

    def check_end(self, call: Raw) -> None:
        """Left alone, all that was queued comes to its end, and all that was lost can be repaired."""
        self._wait_until_idle()
        lost = [run for run in self._books().runs.values() if run["message"] == LOST]
        of_processes = [run["run_id"] for run in lost if run["run_name"] == "processes"]
        of_decisions = [run["run_id"] for run in lost if run["run_name"] == "decisions"]
        assert of_processes
        assert self.queued
        repaired = [of_processes[-1], *of_decisions]
        for run_id in repaired:
            _repair_again(call, run_id)
        self._wait_until_idle()
        books = self._books()
        assert {books.runs[run_id]["outcome"] for run_id in repaired} == {"SUCCESS"}
        assert books.violations == {}

    def _wait_until_idle(self) -> None:
        active = ("QUEUED", "PENDING", "RUNNING")
        wait_until(lambda: not self._books().with_phase(*active), "the end of all runs")

    def _is_repairable(self, run: dict[str, Any]) -> bool:
        failed = run["outcome"] in ("FAILED", "INTERNAL_ERROR")
        return failed and run["job_id"] == self.jobs["decisions"]

    def _books(self) -> Books:
        return Books(self.served.state.database)


def _repair_again(call: Raw, run_id: int) -> None:
    history = call("GET", f"runs/get?run_id={run_id}&include_history=true", {})[1]["repair_history"]
    latest = {"latest_repair_id": history[-1]["id"]} if len(history) > 1 else {}
    body = {"run_id": run_id, "rerun_all_failed_tasks": True, "job_parameters": {"n": "1"}}
    status, answer = call("POST", "runs/repair", {**body, **latest})
    assert status == 200, answer


def test_nothing_is_lost_when_the_workspace_is_killed(tmp_path: Path) -> None:
    print(f"DURABILITY_SEED={SEED}")
    with ThreadPoolExecutor() as pool:
        seeds = range(SEED, SEED + WORKSPACES)
        for trial in [pool.submit(live_on, tmp_path / str(seed), seed) for seed in seeds]:
            trial.result()


def live_on(folder: Path, seed: int) -> None:
    """One workspace, killed and started again and again."""
    marks = folder / "marks"
    marks.mkdir(parents=True)
    with forked_workspace(folder / "state") as served, ThreadPoolExecutor() as clients:
        trial = Trial(served, marks, random.Random(seed), clients)
        client = served.start()
        trial.set_up(client)
        for kill in range(KILLS):
            # Task processes are there a second or two after the start; waiting for them takes its time.
            before = trial.live_and_die(client, with_processes=kill % 10 == 4)
            client = served.start()
            trial.check_restart(Raw(client), before)
        trial.check_end(Raw(client))


def held_run(served: ScriptedWorkspace) -> int:
    """A run whose only task has started and goes on."""
    served.tasks.held = {"only"}
    run_id = served.start(served.create(notebook("only")))
    served.until_started("only")
    return run_id


def test_a_run_whose_last_task_had_ended_ends_as_that_did(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    """The moment between the two is too short to be hit by chance."""
    with scripted_workspace(switchboard, tmp_path / "state") as served:
        run_id = held_run(served)
        task_runs = served.workspace.task_runs
        task_runs.end(task_runs.active(run_id)[0].run_id, SUCCEEDED)
        served.restart()
        assert served.ended(run_id)["state"]["result_state"] == "SUCCESS"


def test_a_run_that_was_being_cancelled_is_cancelled(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    with scripted_workspace(switchboard, tmp_path / "state") as served:
        run_id = held_run(served)
        task_runs = served.workspace.task_runs
        served.workspace.runs.begin_end(run_id, CANCELED)
        task_runs.begin_end(task_runs.active(run_id)[0].run_id, CANCELED)
        served.restart()
        run = served.ended(run_id)
        assert run["state"]["result_state"] == "CANCELED"
        assert results(run) == {"only": "CANCELED"}
