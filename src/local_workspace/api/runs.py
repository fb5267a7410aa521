"""Runs of jobs 2.1 and 2.2: https://docs.databricks.com/api/workspace/jobs/getrun and its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from databricks.sdk.service.jobs import RunType, ViewsToExport

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.api.jobs import PAGE_SIZE, refuse_many_tasks
from local_workspace.api.listing import Listing
from local_workspace.api.paging import page_of_arrays
from local_workspace.errors import InvalidParameterValue, ResourceDoesNotExist
from local_workspace.execution.task_log import read_log
from local_workspace.models import run_view
from local_workspace.models.json_types import conform
from local_workspace.models.lifecycle import FAILURES, Phase
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run import Run, TaskRun
from local_workspace.models.run_request import checked_token
from local_workspace.models.task_checks import TASK_KINDS
from local_workspace.store.runs import ORDER

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

PAGED_ARRAYS = ("tasks", "iterations", "job_clusters", "job_parameters", "repair_history")
RUNS = Listing("runs", ORDER, default=20, maximum=25)

Json = dict[str, Any]


def get(workspace: Workspace, params: Params) -> Json:
    """A job run, or a task run by its own id."""
    run_id = params.required_integer("run_id")
    task_run = workspace.task_runs.find(run_id)
    run = workspace.runs.get(task_run.job_run_id if task_run else run_id)
    resolved = params.boolean("include_resolved_values")
    if task_run is None:
        view = _job_run_view(workspace, run, resolved)
    else:
        view = _task_run_view(workspace, run, task_run, resolved)
    if params.boolean("include_history"):
        view["repair_history"] = run_view.repair_history(
            run, workspace.runs.executions(run.run_id), workspace.task_runs.of_run(run.run_id)
        )
    return page_of_arrays(view, PAGED_ARRAYS, params, PAGE_SIZE)


def get_before_2_2(workspace: Workspace, params: Params) -> Json:
    run_id = params.required_integer("run_id")
    if workspace.task_runs.find(run_id) is None:
        tasks = workspace.runs.latest_execution_of(run_id).tasks
        refuse_many_tasks(f"Run {run_id}", len(tasks))
    return get(workspace, params)


def list_runs(workspace: Workspace, params: Params) -> Json:
    active_only, completed_only = params.boolean("active_only"), params.boolean("completed_only")
    if active_only and completed_only:
        raise InvalidParameterValue("active_only and completed_only cannot both be true.")
    run_type = params.text("run_type")
    page = workspace.runs.page(
        RUNS.asked(params),
        job_id=params.integer("job_id"),
        active=True if active_only else False if completed_only else None,
        run_type=conform(run_type, RunType, "run_type") if run_type else None,
        start_from=params.integer("start_time_from"),
        start_to=params.integer("start_time_to"),
    )
    expand = params.boolean("expand_tasks")
    return RUNS.answer(page, [_listed_run(workspace, run, expand) for run in page.items])


def list_runs_before_2_2(workspace: Workspace, params: Params) -> Json:
    answer = list_runs(workspace, params)
    return {**answer, "has_more": "next_page_token" in answer}


def _listed_run(workspace: Workspace, run: Run, expand: bool) -> Json:
    if not expand:
        return run_view.job_run(run, workspace.runs.latest_execution(run.run_id), workspace.url)
    view = _job_run_view(workspace, run)
    more = {"has_more": True} if len(view["tasks"]) > PAGE_SIZE else {}
    return {**view, "tasks": view["tasks"][:PAGE_SIZE], **more}


def _job_run_view(workspace: Workspace, run: Run, resolved: bool = False) -> Json:
    view = run_view.job_run(run, workspace.runs.latest_execution(run.run_id), workspace.url)
    task_runs = workspace.task_runs.of_run(run.run_id)
    view["tasks"] = [_entry(workspace, task_run, run.job_id, resolved) for task_run in task_runs]
    return view


def _task_run_view(
    workspace: Workspace, run: Run, task_run: TaskRun, resolved: bool = False
) -> Json:
    whole = run_view.job_run(run, workspace.runs.latest_execution(run.run_id), workspace.url)
    entry = _entry(workspace, task_run, run.job_id, resolved)
    view = run_view.task_run(whole, entry, task_run)
    if task_run.kind == "for_each_task":
        view["iterations"] = [
            _entry(workspace, iteration, run.job_id, resolved)
            for iteration in workspace.task_runs.all_iterations(task_run)
        ]
    return view


def _entry(workspace: Workspace, task_run: TaskRun, job_id: int, resolved: bool) -> Json:
    entry = run_view.task_entry(task_run, job_id, workspace.url)
    if resolved:
        entry |= run_view.resolved_values(task_run)
    if task_run.kind == "for_each_task":
        iterations = workspace.task_runs.all_iterations(task_run)
        stats = run_view.for_each_stats(iterations, task_run.output.get("total", 0))
        entry["for_each_task"] = {**entry["for_each_task"], "stats": stats}
    return entry


def get_output(workspace: Workspace, params: Params) -> Json:
    """The output of a task run; of a job run only where it has a single task."""
    run_id = params.required_integer("run_id")
    task_run = _one_task_run(workspace, run_id)
    metadata = _task_run_view(workspace, workspace.runs.get(task_run.job_run_id), task_run)
    metadata.pop("iterations", None)
    return {"metadata": metadata, **_output(workspace, task_run)}


def _one_task_run(workspace: Workspace, run_id: int) -> TaskRun:
    task_run = workspace.task_runs.find(run_id)
    if task_run is not None:
        return task_run
    workspace.runs.get(run_id)
    latest = list(workspace.task_runs.latest(run_id).values())
    if not latest:
        raise InvalidParameterValue(f"Run {run_id} has no task runs: it never started.")
    if len(latest) > 1:
        raise InvalidParameterValue(
            "Retrieving the output of runs with multiple tasks is not supported. "
            "Please retrieve the output of each individual task run instead."
        )
    return latest[0]


def _output(workspace: Workspace, task_run: TaskRun) -> Json:
    stored = task_run.output
    output: Json = {}
    if "error" in stored:
        output["error"] = stored["error"]
        output["error_trace"] = stored.get("error_trace") or stored["error"]
    match task_run.kind:
        case "notebook_task":
            result = stored.get("result")
            output["notebook_output"] = {} if result is None else _truncated(result)
        case "sql_task" if "sql" in stored:
            output["sql_output"] = {"query_output": _sql_output(stored["sql"])}
        case "run_job_task" if "child_run_id" in stored:
            output["run_job_output"] = {"run_id": stored["child_run_id"]}
        case "python_wheel_task" | "spark_python_task":
            logs, truncated = read_log(workspace.state, task_run.run_id, workspace.secrets.redact)
            output |= {"logs": logs, "logs_truncated": truncated}
        case "for_each_task" if task_run.outcome in FAILURES and "error" not in stored:
            output |= _iteration_errors(workspace.task_runs.all_iterations(task_run))
    return output


def _iteration_errors(iterations: Sequence[TaskRun]) -> Json:
    """The most frequent errors of the iterations, so that nobody has to ask each for its own."""
    stats = run_view.for_each_stats(iterations, len(iterations)).get("error_message_stats", ())
    errors = [f"{stat['error_message']} (iterations: {stat['count']})" for stat in stats]
    return {"error": errors[0], "error_trace": "\n".join(errors)} if errors else {}


def _truncated(result: str) -> Json:
    limit = 5 * 1024 * 1024
    return {"result": result[:limit], "truncated": len(result) > limit}


def _sql_output(sql: Json) -> Json:
    lookups = [{"lookup_key": str(index)} for index in range(sql["statements"])]
    return {
        "query_text": sql["query_text"],
        "warehouse_id": sql["warehouse_id"],
        "sql_statements": lookups,
    }


def cancel(workspace: Workspace, params: Params) -> None:
    workspace.conductor.cancel(params.required_integer("run_id"))


def cancel_all(workspace: Workspace, params: Params) -> None:
    job_id = params.integer("job_id")
    queued_only = params.boolean("all_queued_runs")
    if job_id is None and not queued_only:
        raise InvalidParameterValue("Give job_id, or all_queued_runs=true.")
    runs = workspace.runs.active(job_id)
    if job_id is not None and not runs:
        workspace.jobs.get(job_id)
    # The queue first, else the end of a running one would let the next one start.
    for run in sorted(runs, key=lambda run: run.phase is not Phase.QUEUED):
        if not queued_only or run.phase is Phase.QUEUED:
            workspace.conductor.cancel(run.run_id)


def delete(workspace: Workspace, params: Params) -> None:
    run_id = params.required_integer("run_id")
    task_run_ids = workspace.task_runs.ids(run_id)
    workspace.conductor.delete(run_id)
    for task_run_id in task_run_ids:
        (workspace.state.task_logs / f"{task_run_id}.log").unlink(missing_ok=True)


def repair(workspace: Workspace, params: Params) -> Json:
    run_id = params.required_integer("run_id")
    request = RepairRequest(
        rerun_tasks=tuple(conform(params.array("rerun_tasks"), list[str], "rerun_tasks")),
        rerun_all_failed_tasks=params.boolean("rerun_all_failed_tasks"),
        rerun_dependent_tasks=params.boolean("rerun_dependent_tasks"),
        latest_repair_id=params.integer("latest_repair_id"),
    )
    return {"repair_id": workspace.conductor.repair(run_id, request, params)}


def submit(workspace: Workspace, params: Params) -> Json:
    token = checked_token(params.text("idempotency_token"))
    settings = {name: value for name, value in params.items() if name != "idempotency_token"}
    settings.pop("run_name", None)
    settings["name"] = params.text("run_name") or "Untitled"
    if not settings.get("tasks"):
        settings = _single_task(settings)
    return {"run_id": workspace.conductor.submit(settings, token=token).run_id}


_TASK_FIELDS = TASK_KINDS | {
    "existing_cluster_id",
    "new_cluster",
    "libraries",
    "environment_key",
    "max_retries",
    "min_retry_interval_millis",
    "retry_on_timeout",
}


def _single_task(settings: Json) -> Json:
    """The older form of runs/submit, which has the one task's fields at the top level."""
    task = {name: value for name, value in settings.items() if name in _TASK_FIELDS}
    key = re.sub(r"[^\w-]", "_", settings["name"])[:100]
    rest = {name: value for name, value in settings.items() if name not in _TASK_FIELDS}
    return {**rest, "tasks": [{"task_key": key, **task}]}


def export(workspace: Workspace, params: Params) -> Json:
    task_run = _one_task_run(workspace, params.required_integer("run_id"))
    views = conform(params.text("views_to_export", "CODE"), ViewsToExport, "views_to_export")
    if task_run.kind != "notebook_task":
        raise InvalidParameterValue("Only notebook task runs can be exported.")
    if views == "DASHBOARDS":
        return {"views": []}
    content = workspace.pages.notebook_html(task_run)
    if not content:
        raise ResourceDoesNotExist(f"Run {task_run.run_id} has no notebook output.")
    name = task_run.settings["notebook_task"]["notebook_path"].rsplit("/", 1)[-1]
    return {"views": [{"content": content, "name": name, "type": "NOTEBOOK"}]}


_HANDLERS = (
    ("GET", "get", get),
    ("GET", "list", list_runs),
    ("GET", "get-output", get_output),
    ("GET", "export", export),
    ("POST", "cancel", cancel),
    ("POST", "cancel-all", cancel_all),
    ("POST", "delete", delete),
    ("POST", "repair", repair),
    ("POST", "submit", submit),
)
_BEFORE_2_2 = {"get": get_before_2_2, "list": list_runs_before_2_2}

routes = [
    *(
        endpoint(method, f"/api/2.2/jobs/runs/{name}", handler)
        for method, name, handler in _HANDLERS
    ),
    *(
        endpoint(method, f"/api/{version}/jobs/runs/{name}", _BEFORE_2_2.get(name, handler))
        for version in ("2.0", "2.1")
        for method, name, handler in _HANDLERS
    ),
]
