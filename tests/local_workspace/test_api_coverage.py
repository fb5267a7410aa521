"""docs/api-coverage.md, held to the code and to the SDK."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.service import jobs
from scripted import ScriptedWorkspace, condition, for_each, notebook, run_job

from local_workspace.api.app import API_MODULES
from local_workspace.execution.attempt import SUCCEEDED, Ending
from local_workspace.models.task_checks import TASK_KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "api-coverage.md").read_text()
REQUESTS = {
    "POST jobs/create": jobs.JobsAPI.create,
    "POST jobs/reset": jobs.JobsAPI.reset,
    "POST jobs/update": jobs.JobsAPI.update,
    "GET jobs/get": jobs.JobsAPI.get,
    "GET jobs/list": jobs.JobsAPI.list,
    "POST jobs/delete": jobs.JobsAPI.delete,
    "POST jobs/run-now": jobs.JobsAPI.run_now,
    "POST jobs/runs/submit": jobs.JobsAPI.submit,
    "GET jobs/runs/get": jobs.JobsAPI.get_run,
    "GET jobs/runs/list": jobs.JobsAPI.list_runs,
    "POST jobs/runs/cancel": jobs.JobsAPI.cancel_run,
    "POST jobs/runs/cancel-all": jobs.JobsAPI.cancel_all_runs,
    "POST jobs/runs/delete": jobs.JobsAPI.delete_run,
    "POST jobs/runs/repair": jobs.JobsAPI.repair_run,
    "GET jobs/runs/get-output": jobs.JobsAPI.get_run_output,
    "GET jobs/runs/export": jobs.JobsAPI.export_run,
}


def section(title: str) -> str:
    """The text under a heading, up to the next one of the same or a higher level."""
    level = title.split(" ")[0]
    start = PAGE.index(f"\n{title}\n") + len(title) + 2
    end = re.search(rf"^#{{2,{len(level)}}} ", PAGE[start:], re.MULTILINE)
    return PAGE[start : start + end.start()] if end else PAGE[start:]


def rows(title: str) -> dict[str, str]:
    """First column -> second column of the table under a heading."""
    found = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section(title), re.MULTILINE)
    assert len(dict(found)) == len(found), f"{title} names a field twice."
    return {name: status.strip() for name, status in found}


def listed_routes() -> Iterator[str]:
    for route in re.findall(r"^\| \w+ \| `([^`]+)` \|", section("## Routes"), re.MULTILINE):
        versions = re.search(r"\{(2\.\d(?:,2\.\d)+)\}", route)
        if versions:
            yield from (route.replace(versions[0], version) for version in versions[1].split(","))
        else:
            yield route


def test_every_route_is_listed() -> None:
    served = set()
    for name in API_MODULES:
        for route in importlib.import_module(f"local_workspace.api.{name}").routes:
            methods = route.methods - ({"HEAD"} if "GET" in route.methods else set())
            served |= {f"{method} {route.path}" for method in methods}
    assert set(listed_routes()) == served


@pytest.mark.parametrize("request_", REQUESTS)
def test_every_field_that_the_sdk_can_send_is_listed(request_: str) -> None:
    sent = set(inspect.signature(REQUESTS[request_]).parameters) - {"self"}
    listed = rows(f"### `{request_}`")
    assert set(listed) == sent
    assert set(listed.values()) <= {"supported", "shown", "ignored"}


def calls() -> dict[str, list[list[str]]]:
    """The calls of the other parts: their fields that are supported, ignored, refused."""
    page = section("## Fields of the other requests")
    rows = [line.strip("|").split("|") for line in re.findall(r"^\| `.*\|$", page, re.MULTILINE)]
    return {
        call.strip(" `"): [re.findall(r"`(\w+)`", cell) for cell in cells] for call, *cells in rows
    }


@pytest.mark.parametrize("call", calls())
def test_every_field_of_the_other_calls_is_listed(call: str) -> None:
    service, _, name = call.partition(".")
    api = inspect.signature(getattr(WorkspaceClient, service).fget).return_annotation
    parameters = inspect.signature(getattr(api, name)).parameters.values()
    sent = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD} - {"self"}
    listed = [field for fields in calls()[call] for field in fields]
    assert len(set(listed)) == len(listed)
    assert set(listed) == sent


REFUSING = {
    "catalogs.create": ("POST", "/api/2.1/unity-catalog/catalogs", {"name": "c"}),
    "catalogs.update": ("PATCH", "/api/2.1/unity-catalog/catalogs/main", {}),
    "schemas.create": (
        "POST",
        "/api/2.1/unity-catalog/schemas",
        {"name": "s", "catalog_name": "main"},
    ),
    "schemas.update": ("PATCH", "/api/2.1/unity-catalog/schemas/main.default", {}),
    "volumes.create": (
        "POST",
        "/api/2.1/unity-catalog/volumes",
        {
            "name": "v",
            "catalog_name": "main",
            "schema_name": "default",
            "volume_type": "MANAGED",
        },
    ),
    "secrets.create_scope": ("POST", "/api/2.0/secrets/scopes/create", {"scope": "s"}),
}


def test_what_is_listed_as_refused_is_refused(scripted: ScriptedWorkspace) -> None:
    refused = {call: fields for call, (_, _, fields) in calls().items() if fields}
    assert set(refused) == set(REFUSING)
    for call, (method, path, body) in REFUSING.items():
        for field in refused[call]:
            with pytest.raises(BadRequest, match=field):
                scripted.client.api_client.do(method, path, body={**body, field: "x"})


def test_every_task_setting_and_kind_is_listed() -> None:
    fields = {field.name for field in dataclasses.fields(jobs.Task)}
    assert set(rows("### Task settings")) | set(rows("## Task kinds")) == fields
    assert set(rows("## Task kinds")) == TASK_KINDS


def test_the_executed_kinds_are_those_that_the_workspace_executes(
    scripted: ScriptedWorkspace,
) -> None:
    source = inspect.getsource(importlib.import_module("local_workspace.execution.tasks"))
    in_process = set(re.findall(r'^ +"(\w+_task)": self\._', source, re.MULTILINE))
    conducted = {"condition_task", "for_each_task", "run_job_task"}
    executed = {kind for kind, status in rows("## Task kinds").items() if status == "executed"}
    assert executed == in_process | conducted
    others = {kind: sample(hints(jobs.Task)[kind]) for kind in sorted(TASK_KINDS - executed)}
    tasks = [{"task_key": kind, kind: settings} for kind, settings in others.items()]
    job_id = scripted.create(*tasks)
    stored = scripted.get("get", job_id=job_id)["settings"]["tasks"]
    assert [task["task_key"] for task in stored] == list(others)
    for task in stored:
        assert others[task["task_key"]].items() <= task[task["task_key"]].items()


SAMPLES: dict[str, Any] = {
    "schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC"},
    "git_source": {"git_url": "https://host/repo", "git_provider": "gitHub"},
    "format": "SINGLE_TASK",
    "tasks": [notebook("a")],
    "access_control_list": [{"user_name": "u@localhost", "permission_level": "IS_OWNER"}],
}


def hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def sample(kind: Any) -> Any:
    """A value of an SDK type with what is required in it."""
    arguments = [argument for argument in typing.get_args(kind) if argument is not type(None)]
    if typing.get_origin(kind) is typing.Union:
        return sample(arguments[0])
    if typing.get_origin(kind) is list:
        return [sample(arguments[0])]
    if typing.get_origin(kind) is dict:
        return {"k": sample(arguments[1])}
    if dataclasses.is_dataclass(kind):
        required = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
        return {name: sample(hints(kind)[name]) for name in required}
    if issubclass(kind, Enum):
        return next(iter(kind)).value
    return {str: "x", int: 1, bool: True, float: 1.0}[kind]


def test_job_settings_are_given_back_unless_the_page_says_otherwise(
    scripted: ScriptedWorkspace,
) -> None:
    for name, status in rows("### `POST jobs/create`").items():
        value = SAMPLES.get(name) or sample(hints(jobs.JobSettings)[name])
        body = {"tasks": [notebook("a")], name: value}
        job_id = scripted.post("create", **body)["job_id"]
        settings = scripted.get("get", job_id=job_id)["settings"]
        if name in ("tasks", "access_control_list"):
            continue
        assert (settings.get(name) == value) is (status != "ignored"), name


def test_task_settings_are_given_back(scripted: ScriptedWorkspace) -> None:
    named = {"environment_key": "environments", "job_cluster_key": "job_clusters"}
    for name in rows("### Task settings"):
        value = sample(hints(jobs.Task)[name])
        if name == "depends_on":
            value = [{"task_key": "first"}]
        job = {named[name]: sample(hints(jobs.JobSettings)[named[name]])} if name in named else {}
        task = {**notebook("a"), name: value}
        job_id = scripted.create(notebook("first"), task, **job)
        stored = scripted.get("get", job_id=job_id)["settings"]["tasks"][1]
        assert stored[name] == value, name


def test_the_fields_of_the_answers_are_listed(scripted: ScriptedWorkspace) -> None:
    run_keys, task_keys, output_keys = set(), set(), set()
    for view in _many_views(scripted):
        run_keys |= view.keys()
        for task in [*view.get("tasks", ()), *view.get("iterations", ())]:
            task_keys |= task.keys()
            output_keys |= scripted.get("runs/get-output", run_id=task["run_id"]).keys()
    echoed = {field.name for field in dataclasses.fields(jobs.Task)}
    always = {"task_key", "run_if", "depends_on"}
    assert _listed("runs/get") == run_keys
    assert _listed("tasks[]") == task_keys - (echoed - always)
    assert _listed("runs/get-output") == output_keys


def _listed(title: str) -> set[str]:
    (line,) = re.findall(
        rf"^\| {re.escape(f'`{title}`')} \| (.*) \|$", section("## Fields of answers"), re.MULTILINE
    )
    return set(re.findall(r"`(\w+)`", line))


def _many_views(scripted: ScriptedWorkspace) -> Iterator[dict[str, Any]]:
    scripted.tasks.endings = {
        "n": [Ending(SUCCEEDED, {"result": "r"}), False],
        "s": [Ending(SUCCEEDED, {"sql": {"query_text": "", "warehouse_id": "w", "statements": 1}})],
    }
    wheel = {"package_name": "p", "entry_point": "e"}
    child = scripted.create(condition("c", "1", "1"))
    job_id = scripted.post(
        "create",
        name="job",
        description="d",
        schedule=SAMPLES["schedule"],
        git_source=SAMPLES["git_source"],
        job_clusters=[{"job_cluster_key": "c", "new_cluster": {}}],
        tasks=[
            notebook("n", parameters={"a": "1"}),
            for_each("loop", "[1]", condition("i", "{{input}}", "1")),
            run_job("call", child),
            {"task_key": "w", "python_wheel_task": wheel},
            {"task_key": "s", "sql_task": {"warehouse_id": "w", "file": {"path": "/f"}}},
            *(notebook(f"t{n}", disabled=True) for n in range(100)),
        ],
    )["job_id"]
    everything = {"include_history": True, "include_resolved_values": True}
    legacy = scripted.start(job_id, notebook_params={"a": "2"})
    yield scripted.ended(legacy, **everything)
    run = scripted.ended(scripted.start(job_id, job_parameters={"p": "1"}), **everything)
    yield run
    loop = next(task for task in run["tasks"] if task["task_key"] == "loop")
    yield scripted.get("runs/get", run_id=loop["run_id"])
    (called,) = scripted.get("runs/list", job_id=child, limit=1)["runs"]
    yield called
