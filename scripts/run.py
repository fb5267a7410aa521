"""`make run` and `make up`: the whole pipeline on this machine, through a real Airflow. Standard library only.

run.py run|up        SOURCE and COUNTRIES come from the environment
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from airflow_server import Airflow, free_port
from children import POLL_SECONDS, START_SECONDS, Child
from environments import PROJECT, ROOT, STATE, SetupError, clean_environment, set_up
from http_json import ServerError, call
from result import print_result
from steps import Steps

INGEST, TRANSFORM = "renewables_ingest", "renewables_transform"
WORKSPACE_PORT = int(os.environ.get("LOCAL_WORKSPACE_PORT", "8765"))
AIRFLOW_PORT = int(os.environ.get("AIRFLOW_PORT", "8080"))
ENV_FILE = STATE / "workspace.env"
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
_SHOWN = {"SUCCESS": "done", "EXCLUDED": "skipped", "UPSTREAM_FAILED": "skipped"}


class Workspace:
    """The local workspace as a child, and its REST API."""

    def __init__(self, port: int) -> None:
        env = {
            **clean_environment(),
            "LOCAL_WORKSPACE_STATE": str(STATE),
            "LOCAL_WORKSPACE_PORT": str(port),
        }
        self._env = env
        command = [str(PROJECT.python.parent / "local-workspace")]
        self._command = command
        self._written_before = _modified(ENV_FILE)
        self.child = Child(
            "The local workspace", [*command, "serve"], env, STATE / "logs" / "workspace.log"
        )
        self.url = f"http://127.0.0.1:{port}"

    @property
    def token(self) -> str:
        lines = ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else []
        return dict(line.split("=", 1) for line in lines).get("DATABRICKS_TOKEN", "")

    def wait_until_ready(self) -> None:
        """The workspace writes its address when it is up; until then somebody else may be on the port."""
        self.child.wait_until(lambda: _modified(ENV_FILE) > self._written_before, START_SECONDS)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return call(method, f"{self.url}/api/{path}", self.token, body)

    def deploy(self, variables: Dict[str, str]) -> Dict[str, int]:
        """The job ids, by the jobs' keys in the bundle."""
        options = [
            part for name, value in variables.items() for part in ("--var", f"{name}={value}")
        ]
        command = [*self._command, "deploy", "--target", "local", "--json", *options]
        done = subprocess.run(command, cwd=ROOT, env=self._env, capture_output=True, text=True)
        if done.returncode:
            raise SetupError(done.stderr.strip().splitlines()[-1].replace("error: ", ""))
        job_ids: Dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        return job_ids

    def has_other_source(self, source_uri: Optional[str]) -> bool:
        """Whether the tables were made from another source than `source_uri` (None: the bundle's own fixtures)."""
        jobs = self.call("GET", "2.2/jobs/list?name=renewables_ingest").get("jobs", [])
        if not jobs:
            return False
        deployed = {p["name"]: p["default"] for p in jobs[0]["settings"]["parameters"]}[
            "source_uri"
        ]
        return deployed != source_uri if source_uri else not deployed.startswith("/Workspace/")

    def drop_tables(self) -> None:
        """Values of two sources would revise each other; the next run fills the tables from its source alone."""
        try:
            self.call("DELETE", "2.1/unity-catalog/schemas/main.renewables?force=true")
        except ServerError as error:
            if error.status != 404:
                raise

    def login_link(self) -> str:
        return f"{self.url}/login?code={self.call('POST', 'local/login-codes')['code']}"


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def main(mode: str) -> int:
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        with _alone():
            return _run(mode)
    except (SetupError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@contextmanager
def _alone() -> Iterator[None]:
    """One run per checkout at a time; the lock goes with the process."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise SetupError(
                f"Another `make run` or `make up` (process {lock.read() or 'unknown'}) uses this folder; "
                "wait for its end or stop it."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _run(mode: str) -> int:
    variables = _variables()
    steps = Steps()
    airflow = Airflow(AIRFLOW_PORT if mode == "up" else free_port())
    workspace: Optional[Workspace] = None
    try:
        with steps:
            try:
                set_up(steps)
                steps.update("workspace", "starting")
                workspace = Workspace(WORKSPACE_PORT)
                workspace.wait_until_ready()
                steps.done("workspace", workspace.url)
                succeeded = _pipeline(steps, workspace, airflow, variables)
            except BaseException:
                steps.fail_running()
                raise
        if succeeded:
            print_result(workspace.call)
        if mode == "up":
            _stay(workspace, airflow)
        return 0 if succeeded else 1
    finally:
        airflow.stop()
        if workspace:
            workspace.child.stop()


def _variables() -> Dict[str, str]:
    """What the caller chose, as variables of the bundle."""
    variables = {}
    source = os.environ.get("SOURCE", "")
    if source:
        variables["source_uri"] = source if "://" in source else str((ROOT / source).resolve())
    countries = [
        name.strip() for name in os.environ.get("COUNTRIES", "").split(",") if name.strip()
    ]
    if countries:
        variables["countries"] = json.dumps(countries, ensure_ascii=False)
    return variables


def _pipeline(
    steps: Steps, workspace: Workspace, airflow: Airflow, variables: Dict[str, str]
) -> bool:
    """Deploys while Airflow starts, then lets Airflow run both DAGs. True if all succeeded."""
    steps.update("airflow", "starting")
    airflow.start(WORKSPACE_PORT, workspace.token)
    steps.update("deploy", "bundle renewables, target local")
    if workspace.has_other_source(variables.get("source_uri")):
        workspace.drop_tables()
        steps.update("deploy", "the source changed: tables start empty")
    job_ids = workspace.deploy(variables)
    steps.done("deploy", ", ".join(f"{key} {job_id}" for key, job_id in job_ids.items()))
    airflow.wait_until_ready([INGEST, TRANSFORM])
    steps.done("airflow", airflow.url)
    airflow.set_variable("databricks_job_ids", job_ids)
    airflow.unpause(TRANSFORM)
    ingest = airflow.unpause_and_run(INGEST)
    follower = Follower(steps, workspace, airflow)
    if not follower.follow(INGEST, ingest, job_ids["ingest"]):
        return False
    transform = follower.asset_triggered_run(TRANSFORM)
    return follower.follow(TRANSFORM, transform, job_ids["transform"])


class Follower:
    """Shows a DAG run and the job run behind it, step by step."""

    def __init__(self, steps: Steps, workspace: Workspace, airflow: Airflow) -> None:
        self._steps = steps
        self._workspace = workspace
        self._airflow = airflow

    def follow(self, dag_id: str, run_id: str, job_id: int) -> bool:
        """Until the DAG run has ended; True if it succeeded. Says why where it has not."""
        while True:
            self._airflow.check()
            self._workspace.child.check()
            run = self._job_run(job_id, run_id)
            self._show(dag_id, run)
            state = self._airflow.dag_run(dag_id, run_id)["state"]
            tasks = self._airflow.task_states(dag_id, run_id)
            detail = ", ".join(f"{task} {task_state}" for task, task_state in tasks.items())
            if state in ("success", "failed"):
                self._show(dag_id, self._job_run(job_id, run_id))
                (self._steps.done if state == "success" else self._steps.fail)(dag_id, detail)
                if state == "failed":
                    self._explain(dag_id, run)
                return state == "success"
            self._steps.update(dag_id, detail)
            time.sleep(POLL_SECONDS * 3)

    def asset_triggered_run(self, dag_id: str) -> str:
        """The run that the published Asset has started."""
        self._steps.update(dag_id, "waiting for the Asset")
        while True:
            self._airflow.check()
            for run in self._airflow.dag_runs(dag_id):
                if run["run_type"] == "asset_triggered":
                    return str(run["dag_run_id"])
            time.sleep(POLL_SECONDS)

    def _job_run(self, job_id: int, dag_run_id: str) -> Optional[Dict[str, Any]]:
        """The job run that carries the DAG run's id, with its tasks."""
        runs = self._workspace.call(
            "GET", f"2.2/jobs/runs/list?job_id={job_id}&expand_tasks=true"
        ).get("runs", [])
        for run in runs:
            parameters = {p["name"]: p.get("value") for p in run.get("job_parameters", ())}
            if parameters.get("airflow_run_id") == dag_run_id:
                found: Dict[str, Any] = run
                return found
        return None

    def _show(self, dag_id: str, run: Optional[Dict[str, Any]]) -> None:
        job = dag_id.replace("renewables_", "")
        for task in sorted((run or {}).get("tasks", ()), key=lambda t: t["run_id"]):
            state = task["state"]
            if state["life_cycle_state"] == "BLOCKED":
                continue
            result = state.get("result_state", state["life_cycle_state"])
            shown = _SHOWN.get(
                result, "failed" if state["life_cycle_state"] in ENDED else "running"
            )
            started, ended = task["start_time"], task["end_time"]
            seconds = (ended - started) / 1000 if started and ended else None
            self._steps.set(
                f"  {job}.{task['task_key']}", shown, f"{result}{_iterations(task)}", seconds
            )

    def _explain(self, dag_id: str, run: Optional[Dict[str, Any]]) -> None:
        """One line per failed task, on standard error."""
        if run is None:
            logs = STATE / "airflow" / "logs"
            print(
                f"error: {dag_id} failed before it had started a job run (logs: {logs}).",
                file=sys.stderr,
            )
            return
        for message in self._errors(run):
            print(f"error: {message}", file=sys.stderr)
        print(f"run page: {run['run_page_url']}", file=sys.stderr)

    def _errors(self, run: Dict[str, Any]) -> List[str]:
        messages = []
        for task in run["tasks"]:
            if task["state"].get("result_state") == "FAILED":
                for run_id in self._failed_runs(task):
                    error = self._workspace.call(
                        "GET", f"2.2/jobs/runs/get-output?run_id={run_id}"
                    ).get("error", "")
                    messages.append(
                        f"{task['task_key']}: {error or task['state']['state_message']}"
                    )
        return list(dict.fromkeys(messages))

    def _failed_runs(self, task: Dict[str, Any]) -> List[int]:
        """The task run itself, or the failed iterations of a for-each task."""
        if "for_each_task" not in task:
            return [task["run_id"]]
        view = self._workspace.call("GET", f"2.2/jobs/runs/get?run_id={task['run_id']}")
        failed = [
            i["run_id"] for i in view["iterations"] if i["state"].get("result_state") == "FAILED"
        ]
        return failed or [task["run_id"]]


def _iterations(task: Dict[str, Any]) -> str:
    stats = task.get("for_each_task", {}).get("stats", {}).get("task_run_stats")
    if not stats or not stats["total_iterations"]:
        return ""
    return f" {stats['completed_iterations']}/{stats['total_iterations']}"


def _stay(workspace: Workspace, airflow: Airflow) -> None:
    print(f"\nAirflow    {airflow.url}  (user admin, password {airflow.password})")
    print(
        f"Workspace  {workspace.login_link()}  (opens once; `uv run local-workspace login` prints a new link)"
    )
    print("Ctrl-C ends both.", flush=True)
    while True:
        airflow.check()
        workspace.child.check()
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
