"""Runs of jobs 2.1 and 2.2: https://docs.databricks.com/api/workspace/jobs/getrun and its neighbours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.api.jobs import check_parameters, checked_token
from local_workspace.api.paging import page_of, with_next_page
from local_workspace.errors import InvalidParameterValue, ResourceDoesNotExist
from local_workspace.execution.tasks import read_log
from local_workspace.models import run_view
from local_workspace.models.job_settings import TASK_KINDS, check_tasks
from local_workspace.models.repair import RepairRequest
from local_workspace.models.run import Run, TaskRun

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

PAGE_SIZE = 100
PAGED_ARRAYS = ("tasks", "iterations", "job_clusters", "job_parameters", "repair_history")

Json = dict[str, Any]


def get(workspace: Workspace, params: Params) -> Json:
    """A job run, or a task run by its own id."""
    run_id = params.required_integer("run_id")
    task_run = workspace.runs.task_run(run_id)
    if task_run is not None:
        return _page(_task_run_view(workspace, task_run), params)
    run = workspace.runs.get(run_id)
    view = _job_run_view(workspace, run)
    if params.boolean("include_history"):
        executions = workspace.runs.executions(run_id)
        view["repair_history"] = run_view.repair_history(
            executions, workspace.runs.task_runs(run_id)
        )
    return _page(view, params)


def list_runs(workspace: Workspace, params: Params) -> Json:
    offset, limit = page_of(params, default=20, maximum=25)
    active_only, completed_only = params.boolean("active_only"), params.boolean("completed_only")
    if active_only and completed_only:
        raise InvalidParameterValue("active_only and completed_only cannot both be true.")
    runs = workspace.runs.page(
        job_id=params.integer("job_id"),
        active=True if active_only else False if completed_only else None,
        run_type=params.text("run_type") or None,
        start_from=params.integer("start_time_from"),
        start_to=params.integer("start_time_to"),
        offset=offset,
        limit=limit + 1,
    )
    expand = params.boolean("expand_tasks")
    return with_next_page("runs", [_listed(workspace, run, expand) for run in runs], offset, limit)


def _listed(workspace: Workspace, run: Run, expand: bool) -> Json:
    if not expand:
        return run_view.job_run(run, workspace.runs.executions(run.run_id), workspace.url)
    view = _job_run_view(workspace, run)
    return {**view, "tasks": view["tasks"][:PAGE_SIZE]}


def _job_run_view(workspace: Workspace, run: Run) -> Json:
    view = run_view.job_run(run, workspace.runs.executions(run.run_id), workspace.url)
    task_runs = workspace.runs.task_runs(run.run_id)
    view["tasks"] = [_entry(workspace, task_run, run.job_id) for task_run in task_runs]
    return view


def _task_run_view(workspace: Workspace, task_run: TaskRun) -> Json:
    run = workspace.runs.get(task_run.job_run_id)
    view = run_view.job_run(run, workspace.runs.executions(run.run_id), workspace.url)
    entry = _entry(workspace, task_run, run.job_id)
    view.pop("queue_duration")
    view = {**view, **{name: entry[name] for name in entry if name in view}}
    view |= {"job_run_id": run.run_id, "run_id": task_run.run_id, "task_key": task_run.task_key}
    view["number_in_job"] = task_run.run_id
    view["original_attempt_run_id"] = task_run.original_attempt_run_id
    view["tasks"] = [entry]
    if task_run.kind == "for_each_task":
        iterations = workspace.runs.all_iterations(task_run)
        view["iterations"] = [_entry(workspace, iteration, run.job_id) for iteration in iterations]
    return view


def _entry(workspace: Workspace, task_run: TaskRun, job_id: int) -> Json:
    entry = run_view.task_entry(task_run, job_id, workspace.url)
    if task_run.kind == "for_each_task":
        iterations = workspace.runs.all_iterations(task_run)
        stats = run_view.for_each_stats(iterations, task_run.output.get("total", 0))
        entry["for_each_task"] = {**entry["for_each_task"], "stats": stats}
    return entry


def _page(view: Json, params: Params) -> Json:
    """One page of the view's arrays; everything else repeats on each page."""
    offset = params.integer("page_token", 0)
    more = any(len(view.get(name, ())) > offset + PAGE_SIZE for name in PAGED_ARRAYS)
    for name in PAGED_ARRAYS:
        if name in view:
            view[name] = view[name][offset : offset + PAGE_SIZE]
    if not params.boolean("include_resolved_values"):
        for entry in view.get("tasks", ()):
            entry.pop("resolved_values", None)
    return {**view, "has_more": True, "next_page_token": str(offset + PAGE_SIZE)} if more else view


def get_output(workspace: Workspace, params: Params) -> Json:
    """The output of a task run; of a job run only where it has a single task."""
    run_id = params.required_integer("run_id")
    task_run = workspace.runs.task_run(run_id)
    if task_run is None:
        task_run = _only_task(workspace, workspace.runs.get(run_id))
    metadata = _task_run_view(workspace, task_run)
    metadata.pop("iterations", None)
    return {"metadata": metadata, **_output(workspace, task_run)}


def _only_task(workspace: Workspace, run: Run) -> TaskRun:
    latest = list(workspace.runs.latest_task_runs(run.run_id).values())
    if len(latest) != 1:
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
            logs, truncated = read_log(workspace.state, task_run.run_id)
            output |= {"logs": logs, "logs_truncated": truncated}
    return output


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
    for run in workspace.runs.active(job_id):
        if not queued_only or run.phase == "QUEUED":
            workspace.conductor.cancel(run.run_id)


def delete(workspace: Workspace, params: Params) -> None:
    workspace.conductor.delete(params.required_integer("run_id"))


def repair(workspace: Workspace, params: Params) -> Json:
    request = {name: params[name] for name in params if name.endswith(("_params", "_parameters"))}
    check_parameters(request)
    repair_request = RepairRequest(
        rerun_tasks=tuple(params.array("rerun_tasks")),
        rerun_all_failed_tasks=params.boolean("rerun_all_failed_tasks"),
        rerun_dependent_tasks=params.boolean("rerun_dependent_tasks"),
        latest_repair_id=params.integer("latest_repair_id"),
    )
    run_id = params.required_integer("run_id")
    return {"repair_id": workspace.conductor.repair(run_id, repair_request, request)}


def submit(workspace: Workspace, params: Params) -> Json:
    token = checked_token(params.text("idempotency_token") or None)
    settings = {name: value for name, value in params.items() if name != "idempotency_token"}
    settings["name"] = settings.pop("run_name", None) or "Untitled"
    if not settings.get("tasks"):
        settings = _single_task(settings)
    check_tasks(settings)
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
    task_run = workspace.runs.existing_task_run(params.required_integer("run_id"))
    if task_run.kind != "notebook_task":
        raise InvalidParameterValue("Only notebook task runs can be exported.")
    content = workspace.pages.notebook_html(task_run)
    if not content:
        raise ResourceDoesNotExist(f"Run {task_run.run_id} has no notebook output.")
    name = task_run.settings["notebook_task"]["notebook_path"].rsplit("/", 1)[-1]
    return {"views": [{"content": content, "name": name, "type": "NOTEBOOK"}]}


routes = [
    endpoint(method, f"/api/{version}/jobs/runs/{name}", handler)
    for version in ("2.0", "2.1", "2.2")
    for method, name, handler in (
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
]
