"""Jobs 2.1 and 2.2 through the SDK: create, reset, update, get, list, delete."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.jobs import JobParameterDefinition, JobSettings
from expect import refused
from scripted import ScriptedWorkspace, notebook


def keys(settings: JobSettings | None) -> list[str]:
    assert settings is not None
    return [task.task_key for task in settings.tasks or ()]


def test_what_is_written_is_read_back(scripted: ScriptedWorkspace) -> None:
    written: dict[str, Any] = {
        "name": "nightly",
        "tags": {"team": "energy"},
        "tasks": [notebook("a", timeout_seconds=5), notebook("b", "a", max_retries=1)],
        "schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC"},
        "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"num_workers": 1}}],
        "unheard_of": {"kept": True},
    }
    job_id = scripted.create(**written)
    settings = scripted.get("get", job_id=job_id)["settings"]
    filled_in = {"run_if": "ALL_SUCCESS", "email_notifications": {}}
    assert settings == {
        **written,
        "format": "MULTI_TASK",
        "max_concurrent_runs": 1,
        "timeout_seconds": 0,
        "email_notifications": {},
        "webhook_notifications": {},
        "tasks": [
            {
                "timeout_seconds": 0,
                **task,
                **filled_in,
                "notebook_task": {**task["notebook_task"], "source": "WORKSPACE"},
            }
            for task in written["tasks"]
        ],
    }


def test_numbers_as_text_are_read_back_as_numbers(scripted: ScriptedWorkspace) -> None:
    """Airflow sends every number of an operator's JSON as text."""
    job_id = scripted.create(
        notebook("a", max_retries="2", retry_on_timeout="True"), timeout_seconds="60"
    )
    settings = scripted.get("get", job_id=str(job_id))["settings"]
    assert (settings["timeout_seconds"], settings["tasks"][0]["max_retries"]) == (60, 2)
    assert settings["tasks"][0]["retry_on_timeout"] is True


def test_tasks_are_read_in_pages_of_a_hundred(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(
        *(notebook(f"t{n}") for n in range(230)),
        job_clusters=[{"job_cluster_key": "c", "new_cluster": {}}],
    )
    pages = []
    token: str | None = ""
    while token is not None:
        pages.append(scripted.get("get", job_id=job_id, page_token=token))
        token = pages[-1].get("next_page_token")

    assert [len(page["settings"]["tasks"]) for page in pages] == [100, 100, 30]
    assert [len(page["settings"]["job_clusters"]) for page in pages] == [1, 0, 0]
    assert [page.get("has_more") for page in pages] == [True, True, None]
    assert keys(scripted.client.jobs.get(job_id).settings) == [f"t{n}" for n in range(230)]


def test_versions_before_2_2_refuse_what_they_cannot_page_through(
    scripted: ScriptedWorkspace,
) -> None:
    job_id = scripted.create(*(notebook(f"t{n}", disabled=True) for n in range(101)))
    run_id = scripted.run(job_id)["run_id"]
    message = "has 101 tasks. Resources with more than 100 tasks need Jobs API 2.2."
    for path, query, what in (
        ("get", {"job_id": job_id}, f"Job {job_id}"),
        ("runs/get", {"run_id": run_id}, f"Run {run_id}"),
    ):
        refused(
            InvalidParameterValue,
            "INVALID_PARAMETER_VALUE",
            f"{what} {message}",
            lambda path=path, query=query: scripted.get(path, "2.1", **query),  # type: ignore[misc]
        )
    small = scripted.create(notebook("a"))
    assert scripted.get("get", "2.1", job_id=small) == scripted.get("get", job_id=small)


def test_list_pages_newest_first(scripted: ScriptedWorkspace) -> None:
    ids = [scripted.create(notebook("a"), name=f"job {n}") for n in range(5)]
    first = scripted.get("list", limit=2)
    second = scripted.get("list", limit=2, page_token=first["next_page_token"])
    last = scripted.get("list", limit=2, page_token=second["next_page_token"])
    assert [[job["job_id"] for job in page.get("jobs", ())] for page in (first, second, last)] == [
        ids[:2:-1],
        ids[2:0:-1],
        ids[:1],
    ]
    assert "prev_page_token" not in first
    assert "next_page_token" not in last
    assert scripted.get("list", page_token=second["prev_page_token"], limit=2) == first
    assert [job.job_id for job in scripted.client.jobs.list(limit=2)] == ids[::-1]
    assert scripted.get("list", "2.1", limit=2)["has_more"] is True


def test_jobs_that_come_and_go_shift_no_page(scripted: ScriptedWorkspace) -> None:
    ids = [scripted.create(notebook("a")) for _ in range(5)]
    first = scripted.get("list", limit=2)
    scripted.create(notebook("a"))
    scripted.post("delete", job_id=ids[4])
    second = scripted.get("list", limit=2, page_token=first["next_page_token"])
    assert [job["job_id"] for job in second["jobs"]] == [ids[2], ids[1]]
    assert [job["job_id"] for job in scripted.get("list", offset=3, limit=2)["jobs"]] == ids[1::-1]


def test_list_finds_a_whole_name_in_any_case(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"), name="Nightly")
    scripted.create(notebook("a"), name="Nightly 2")
    assert [job.job_id for job in scripted.client.jobs.list(name="nIGHTLY")] == [job_id]
    assert scripted.get("list", name="nothing") == {}


def test_list_shows_tasks_only_when_asked_and_a_hundred_at_most(
    scripted: ScriptedWorkspace,
) -> None:
    scripted.create(*(notebook(f"t{n}") for n in range(101)))
    (plain,) = scripted.get("list")["jobs"]
    (expanded,) = scripted.get("list", expand_tasks="True")["jobs"]
    assert "tasks" not in plain["settings"]
    assert len(expanded["settings"]["tasks"]) == 100
    assert expanded["has_more"] is True


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 101}, "limit must be between 1 and 100, or 0 for the maximum; got 101."),
        ({"limit": "many"}, "limit must be an integer, got 'many'."),
        ({"limit": -1}, "limit must be between 1 and 100, or 0 for the maximum; got -1."),
        ({"offset": -1}, "offset must not be negative; got -1."),
        *(
            (
                {"page_token": token},
                f"page_token '{token}' is no token of this list; leave it out for the first page.",
            )
            for token in (
                "-1",
                "runs.older.1.2",
                "jobs.older.9999999999999999999",
            )
        ),
        ({"expand_tasks": "maybe"}, "expand_tasks must be true or false, got 'maybe'."),
    ],
)
def test_a_bad_page_is_refused(
    scripted: ScriptedWorkspace, query: dict[str, Any], message: str
) -> None:
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        message,
        lambda: scripted.get("list", **query),
    )


def test_reset_replaces_everything_but_who_it_runs_as(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(
        notebook("a"), tags={"x": "1"}, run_as={"user_name": "someone@localhost"}
    )
    new = {"name": "new", "tasks": [notebook("b")], "access_control_list": []}
    assert scripted.post("reset", job_id=job_id, new_settings=new) == {}
    settings = scripted.get("get", job_id=job_id)["settings"]
    assert (settings["name"], "tags" in settings) == ("new", False)
    assert [task["task_key"] for task in settings["tasks"]] == ["b"]
    assert settings["run_as"] == {"user_name": "someone@localhost"}
    assert "access_control_list" not in settings


def test_update_changes_only_what_it_names(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"), notebook("b"), notebook("c", "b"), tags={"x": "1"})
    scripted.client.jobs.update(
        job_id,
        new_settings=JobSettings(description="new", parameters=[JobParameterDefinition("p", "1")]),
        fields_to_remove=["tags", "tasks/c"],
    )
    settings = scripted.client.jobs.get(job_id).settings
    assert settings is not None
    assert (settings.name, settings.description, settings.tags) == ("job", "new", None)
    assert keys(settings) == ["a", "b"]


def test_an_update_is_validated_as_a_whole(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"), notebook("b", "a"))
    before = scripted.get("get", job_id=job_id)
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "Invalid dependency graph, task 'b' depends on task 'a', which does not exist.",
        lambda: scripted.post("update", job_id=job_id, fields_to_remove=["tasks/a"]),
    )
    assert scripted.get("get", job_id=job_id) == before


def test_a_new_timeout_ends_a_run_that_is_active(scripted: ScriptedWorkspace) -> None:
    scripted.tasks.held = {"a"}
    job_id = scripted.create(notebook("a"))
    run_id = scripted.start(job_id)
    scripted.until_started("a")
    scripted.post("update", job_id=job_id, new_settings={"timeout_seconds": 1})
    assert scripted.ended(run_id)["state"]["result_state"] == "TIMEDOUT"


def test_a_deleted_job_is_gone_and_its_runs_stay(scripted: ScriptedWorkspace) -> None:
    job_id = scripted.create(notebook("a"))
    run_id = scripted.run(job_id)["run_id"]
    scripted.client.jobs.delete(job_id)
    missing = f"Job {job_id} does not exist."
    code = "RESOURCE_DOES_NOT_EXIST"
    refused(ResourceDoesNotExist, code, missing, lambda: scripted.client.jobs.get(job_id))
    refused(ResourceDoesNotExist, code, missing, lambda: scripted.client.jobs.delete(job_id))
    refused(
        ResourceDoesNotExist,
        code,
        missing,
        lambda: scripted.post("reset", job_id=job_id, new_settings={}),
    )
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        missing,
        lambda: scripted.client.jobs.run_now(job_id),
    )
    assert scripted.get("runs/get", run_id=run_id)["job_id"] == job_id
    assert list(scripted.client.jobs.list()) == []


@pytest.mark.parametrize("path", ["reset", "update", "delete", "run-now", "runs/cancel"])
def test_a_missing_id_is_named(scripted: ScriptedWorkspace, path: str) -> None:
    field = "run_id" if path.startswith("runs/") else "job_id"
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        f"Missing required field: {field}",
        lambda: scripted.post(path),
    )
