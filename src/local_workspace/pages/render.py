"""HTML of the pages. Everything that a task wrote is escaped, except what it displayed as HTML, which is framed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from local_workspace.execution.tasks import read_log
from local_workspace.models import run_view
from local_workspace.models.run import TaskRun

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

RECENT_RUNS = 50


class Pages:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._templates = Environment(
            loader=PackageLoader("local_workspace", "pages/templates"),
            autoescape=True,
            undefined=StrictUndefined,
        )
        self._templates.filters["time"] = _time
        self._templates.filters["seconds"] = _seconds

    def home(self) -> str:
        return self._templates.get_template("home.html").render()

    def jobs(self) -> str:
        runs = self._workspace.runs.page(
            job_id=None,
            active=None,
            run_type=None,
            start_from=None,
            start_to=None,
            offset=0,
            limit=RECENT_RUNS,
        )
        rows = [{"run": run, "state": _label(run_view.run_state(run))} for run in runs]
        return self._templates.get_template("jobs.html").render(rows=rows)

    def run(self, run_id: int) -> str:
        """A job run, also by the id of one of its task runs."""
        task_run = self._workspace.runs.task_run(run_id)
        run = self._workspace.runs.get(task_run.job_run_id if task_run else run_id)
        executions = self._workspace.runs.executions(run.run_id)
        task_runs = self._workspace.runs.task_runs(run.run_id)
        return self._templates.get_template("run.html").render(
            run=run,
            state=_label(run_view.run_state(run)),
            parameters=run_view.job_parameters(executions[-1]),
            repairs=run_view.repair_history(executions, task_runs),
            tasks=[self._task(t) for t in task_runs],
        )

    def notebook_html(self, task_run: TaskRun) -> str:
        """A notebook run's cells and outputs; empty where it wrote none."""
        cells = task_run.output.get("cells")
        if not cells:
            return ""
        return self._templates.get_template("notebook.html").render(cells=cells)

    def _task(self, task_run: TaskRun) -> dict[str, Any]:
        iterations: list[dict[str, Any]] = []
        if task_run.kind == "for_each_task":
            iterations = [self._task(t) for t in self._workspace.runs.all_iterations(task_run)]
        log, _ = read_log(self._workspace.state, task_run.run_id)
        return {
            "run": task_run,
            "state": _label(run_view.task_state(task_run)),
            "log": log,
            "notebook": self.notebook_html(task_run),
            "iterations": iterations,
        }


def _label(state: dict[str, Any]) -> str:
    return str(state.get("result_state") or state["life_cycle_state"])


def _time(milliseconds: int) -> str:
    if not milliseconds:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _seconds(entry: Any) -> str:
    if not (entry.start_time and entry.end_time):
        return ""
    return f"{(entry.end_time - entry.start_time) / 1000:.1f} s"
