"""Jobs 2.1 and 2.2: https://docs.databricks.com/api/workspace/jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.api.listing import Listing
from local_workspace.api.paging import page_of_arrays
from local_workspace.errors import InvalidParameterValue, ResourceDoesNotExist
from local_workspace.models.job_settings import checked, updated
from local_workspace.models.run_request import checked_token
from local_workspace.settings import USER_NAME
from local_workspace.store.jobs import ORDER, Job

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

Json = dict[str, Any]
PAGED_SETTINGS = ("tasks", "job_clusters", "environments", "parameters")
PAGE_SIZE = 100
JOBS = Listing("jobs", ORDER, default=20, maximum=100)


def create(workspace: Workspace, params: Params) -> Json:
    with workspace.db.transaction():
        job_id = workspace.jobs.create(checked(params))
        if params.get("access_control_list"):
            workspace.permissions.create("jobs", str(job_id), params.array("access_control_list"))
    return {"job_id": job_id}


def reset(workspace: Workspace, params: Params) -> None:
    job = workspace.jobs.get(params.required_integer("job_id"))
    params.required("new_settings")
    settings = checked(params.object("new_settings"))
    if "run_as" in job.settings:
        settings.setdefault("run_as", job.settings["run_as"])
    _replace(workspace, job, settings)


def update(workspace: Workspace, params: Params) -> None:
    job = workspace.jobs.get(params.required_integer("job_id"))
    settings = updated(
        job.settings, params.object("new_settings"), params.array("fields_to_remove")
    )
    _replace(workspace, job, checked(settings))


def _replace(workspace: Workspace, job: Job, settings: Json) -> None:
    """New settings are for future runs, except the timeout, which applies to active ones too."""
    workspace.jobs.replace(job.job_id, settings)
    if settings["timeout_seconds"] != job.settings["timeout_seconds"]:
        workspace.conductor.change_timeout(job.job_id, settings["timeout_seconds"])


def get(workspace: Workspace, params: Params) -> Json:
    job = workspace.jobs.get(params.required_integer("job_id"))
    paged = page_of_arrays(job.settings, PAGED_SETTINGS, params, PAGE_SIZE)
    token: Json = {
        name: paged.pop(name) for name in ("has_more", "next_page_token") if name in paged
    }
    return {**_summary(job), "settings": paged, **token}


def get_before_2_2(workspace: Workspace, params: Params) -> Json:
    job = workspace.jobs.get(params.required_integer("job_id"))
    refuse_many_tasks(f"Job {job.job_id}", len(job.settings.get("tasks") or ()))
    return get(workspace, params)


def refuse_many_tasks(what: str, count: int) -> None:
    """Versions before 2.2 cannot page through tasks, so they refuse to show a part."""
    if count > PAGE_SIZE:
        raise InvalidParameterValue(
            f"{what} has {count} tasks. Resources with more than {PAGE_SIZE} tasks need Jobs API 2.2."
        )


def list_jobs(workspace: Workspace, params: Params) -> Json:
    page = workspace.jobs.page(params.text("name") or None, JOBS.asked(params))
    expand = params.boolean("expand_tasks")
    return JOBS.answer(page, [_listed_job(job, expand) for job in page.items])


def list_jobs_before_2_2(workspace: Workspace, params: Params) -> Json:
    answer = list_jobs(workspace, params)
    return {**answer, "has_more": "next_page_token" in answer}


def delete(workspace: Workspace, params: Params) -> None:
    workspace.jobs.delete(params.required_integer("job_id"))


def _listed_job(job: Job, expand: bool) -> Json:
    """With `expand` the first 100 entries of each array; `has_more` says that jobs/get has further ones."""
    arrays = {name: job.settings[name] for name in PAGED_SETTINGS if name in job.settings}
    hidden = () if expand else ("tasks", "job_clusters")
    settings = {
        name: value[:PAGE_SIZE] if name in arrays else value
        for name, value in job.settings.items()
        if name not in hidden
    }
    more = expand and any(len(value) > PAGE_SIZE for value in arrays.values())
    return {**_summary(job), "settings": settings, **({"has_more": True} if more else {})}


def _summary(job: Job) -> Json:
    return {
        "job_id": job.job_id,
        "creator_user_name": job.creator,
        "run_as_user_name": USER_NAME,
        "created_time": job.created_time,
    }


def run_now(workspace: Workspace, params: Params) -> Json:
    job_id = params.required_integer("job_id")
    token = checked_token(params.text("idempotency_token"))
    try:
        run = workspace.conductor.run_now(job_id, params, token=token)
    except ResourceDoesNotExist as missing:
        # As on Databricks: 404 for a missing job is for reading, here the job_id is a bad parameter.
        raise InvalidParameterValue(missing.message) from None
    return {"run_id": run.run_id, "number_in_job": run.run_id}


_HANDLERS = (
    ("POST", "create", create),
    ("POST", "reset", reset),
    ("POST", "update", update),
    ("GET", "get", get),
    ("GET", "list", list_jobs),
    ("POST", "delete", delete),
    ("POST", "run-now", run_now),
)
_BEFORE_2_2 = {"get": get_before_2_2, "list": list_jobs_before_2_2}

routes = [
    *(endpoint(method, f"/api/2.2/jobs/{name}", handler) for method, name, handler in _HANDLERS),
    *(
        endpoint(method, f"/api/{version}/jobs/{name}", _BEFORE_2_2.get(name, handler))
        for version in ("2.0", "2.1")
        for method, name, handler in _HANDLERS
    ),
]
