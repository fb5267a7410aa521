"""Jobs 2.1 and 2.2: https://docs.databricks.com/api/workspace/jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.api.paging import page_of, with_next_page
from local_workspace.errors import InvalidParameterValue
from local_workspace.models.job_settings import checked, updated
from local_workspace.settings import USER_NAME
from local_workspace.store.jobs import Job

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

PAGED_SETTINGS = ("tasks", "job_clusters", "environments", "parameters")
PAGE_SIZE = 100


def create(workspace: Workspace, params: Params) -> dict[str, Any]:
    with workspace.db.transaction():
        job_id = workspace.jobs.create(checked(dict(params)))
        if params.get("access_control_list"):
            workspace.permissions.create("jobs", str(job_id), params.array("access_control_list"))
    return {"job_id": job_id}


def reset(workspace: Workspace, params: Params) -> None:
    job_id = params.required_integer("job_id")
    before = workspace.jobs.get(job_id).settings
    settings = checked(params.object("new_settings"))
    if "run_as" in before:
        settings.setdefault("run_as", before["run_as"])
    workspace.jobs.replace(job_id, settings)


def update(workspace: Workspace, params: Params) -> None:
    job = workspace.jobs.get(params.required_integer("job_id"))
    settings = updated(
        job.settings, params.object("new_settings"), params.array("fields_to_remove")
    )
    workspace.jobs.replace(job.job_id, checked(settings))


def get(workspace: Workspace, params: Params) -> dict[str, Any]:
    job = workspace.jobs.get(params.required_integer("job_id"))
    offset = params.integer("page_token", 0)
    settings = dict(job.settings)
    more = False
    for name in PAGED_SETTINGS:
        if name in settings:
            more = more or len(settings[name]) > offset + PAGE_SIZE
            settings[name] = settings[name][offset : offset + PAGE_SIZE]
    view = {**_summary(job), "settings": settings}
    return {**view, "has_more": True, "next_page_token": str(offset + PAGE_SIZE)} if more else view


def list_jobs(workspace: Workspace, params: Params) -> dict[str, Any]:
    offset, limit = page_of(params, default=20, maximum=100)
    jobs = workspace.jobs.page(params.text("name") or None, offset, limit + 1)
    expand = params.boolean("expand_tasks")
    items = [{**_summary(job), "settings": _listed_settings(job, expand)} for job in jobs]
    return with_next_page("jobs", items, offset, limit)


def delete(workspace: Workspace, params: Params) -> None:
    workspace.jobs.delete(params.required_integer("job_id"))


def _listed_settings(job: Job, expand: bool) -> dict[str, Any]:
    hidden = () if expand else ("tasks", "job_clusters")
    return {name: value for name, value in job.settings.items() if name not in hidden}


def _summary(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "creator_user_name": job.creator,
        "run_as_user_name": USER_NAME,
        "created_time": job.created_time,
    }


def run_now(workspace: Workspace, params: Params) -> dict[str, Any]:
    job_id = params.required_integer("job_id")
    request = {name: params[name] for name in _REQUEST_FIELDS if params.get(name)}
    check_parameters(request)
    token = params.text("idempotency_token") or None
    run = workspace.conductor.run_now(job_id, request, token=checked_token(token))
    return {"run_id": run.run_id, "number_in_job": run.run_id}


_LEGACY_PARAMETERS = {
    "notebook_params": dict,
    "python_named_params": dict,
    "sql_params": dict,
    "jar_params": list,
    "python_params": list,
    "spark_submit_params": list,
    "dbt_commands": list,
    "pipeline_params": dict,
}
_REQUEST_FIELDS = ("job_parameters", "only", "queue", "performance_target", *_LEGACY_PARAMETERS)


def check_parameters(request: dict[str, Any]) -> None:
    """Types as the API has them, and either job parameters or the older ones per task type."""
    checked_request = Params(request)
    checked_request.object("job_parameters")
    checked_request.array("only")
    for name, kind in _LEGACY_PARAMETERS.items():
        _ = checked_request.object(name) if kind is dict else checked_request.array(name)
    legacy = [name for name in _LEGACY_PARAMETERS if name in request and name != "pipeline_params"]
    if request.get("job_parameters") and legacy:
        raise InvalidParameterValue(f"job_parameters cannot be combined with {', '.join(legacy)}.")
    parameters = request.get("job_parameters") or {}
    request["job_parameters"] = {name: str(value) for name, value in parameters.items()}


def checked_token(token: str | None) -> str | None:
    if token and len(token) > 64:
        raise InvalidParameterValue(
            f"idempotency_token has {len(token)} characters; at most 64 are allowed."
        )
    return token


routes = [
    endpoint(method, f"/api/{version}/jobs/{name}", handler)
    for version in ("2.0", "2.1", "2.2")
    for method, name, handler in (
        ("POST", "create", create),
        ("POST", "reset", reset),
        ("POST", "update", update),
        ("GET", "get", get),
        ("GET", "list", list_jobs),
        ("POST", "delete", delete),
        ("POST", "run-now", run_now),
    )
]
