"""HTML of the pages. Everything that a task wrote is escaped, except what it displayed as HTML, which is framed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from databricks.sdk.service.catalog import TableInfo, VolumeInfo
from jinja2 import Environment, PackageLoader, StrictUndefined

from local_workspace.execution.task_log import read_log
from local_workspace.models import run_view
from local_workspace.models.run import Run, TaskRun
from local_workspace.store.jobs import now
from local_workspace.store.keyset import Place

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

RECENT_RUNS = 50


@dataclass(frozen=True)
class _Span:
    """The time that a timeline covers, in epoch milliseconds."""

    start: int
    end: int

    @classmethod
    def of_run(cls, run: Run) -> _Span:
        return cls(run.start_time, run.end_time or now())

    def bar(self, task_run: TaskRun) -> dict[str, float]:
        """Where the task's time lies in the span: left edge and width in percent."""
        if not task_run.start_time or self.end <= self.start:
            return {"left": 0.0, "width": 0.0}
        end = task_run.end_time or self.end
        percent = 100 / (self.end - self.start)
        left = (task_run.start_time - self.start) * percent
        return {"left": round(left, 2), "width": round((end - task_run.start_time) * percent, 2)}


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

    def runs(self, job_id: int | None) -> str:
        page = self._workspace.runs.page(Place(RECENT_RUNS), job_id=job_id)
        rows = [{"run": run, "state": _label(run_view.run_state(run))} for run in page.items]
        return self._templates.get_template("runs.html").render(rows=rows)

    def schema(self, catalog: str, schema: str) -> str:
        return self._templates.get_template("schema.html").render(
            schema=self._workspace.catalog.get_schema(f"{catalog}.{schema}"),
            tables=self._workspace.catalog.tables.in_schema(catalog, schema),
            volumes=self._workspace.volumes.in_schema(catalog, schema),
        )

    def table(self, table: TableInfo, rows: list[list[str | None]]) -> str:
        return self._templates.get_template("table.html").render(table=table, rows=rows)

    def volume(self, volume: VolumeInfo) -> str:
        folder = self._workspace.volumes.resolve(
            f"/Volumes/{str(volume.full_name).replace('.', '/')}"
        )
        files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return self._templates.get_template("volume.html").render(volume=volume, files=files)

    def run(self, run_id: int) -> str:
        """A job run, also by the id of one of its task runs."""
        task_run = self._workspace.task_runs.find(run_id)
        run = self._workspace.runs.get(task_run.job_run_id if task_run else run_id)
        executions = self._workspace.runs.executions(run.run_id)
        task_runs = self._workspace.task_runs.of_run(run.run_id)
        return self._templates.get_template("run.html").render(
            run=run,
            state=_label(run_view.run_state(run)),
            parameters=run_view.job_parameters(executions[-1]),
            repairs=run_view.repair_history(run, executions, task_runs),
            tasks=[self._task(t, _Span.of_run(run)) for t in sorted(task_runs, key=_by_start)],
        )

    def notebook_html(self, task_run: TaskRun) -> str:
        """A notebook run's cells and outputs; empty where it wrote none."""
        cells = task_run.output.get("cells")
        if not cells:
            return ""
        return self._templates.get_template("notebook.html").render(cells=cells)

    def _task(self, task_run: TaskRun, span: _Span) -> dict[str, Any]:
        iterations: list[dict[str, Any]] = []
        if task_run.kind == "for_each_task":
            found = self._workspace.task_runs.all_iterations(task_run)
            iterations = [self._task(iteration, span) for iteration in found]
        log, _ = read_log(self._workspace.state, task_run.run_id, self._workspace.secrets.redact)
        return {
            "run": task_run,
            "state": _label(run_view.task_state(task_run)),
            "bar": span.bar(task_run),
            "log": log,
            "notebook": self.notebook_html(task_run),
            "iterations": iterations,
        }


def _by_start(task_run: TaskRun) -> tuple[float, int]:
    """What never started comes last."""
    return task_run.start_time or float("inf"), task_run.run_id


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
