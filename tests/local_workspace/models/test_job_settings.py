"""What is refused in job settings, and what is filled in."""

from typing import Any

import pytest

from local_workspace.errors import ApiError, InvalidParameterValue
from local_workspace.models.job_settings import checked, updated

NOTEBOOK = {"notebook_task": {"notebook_path": "/n"}}
WHEEL = {"package_name": "p", "entry_point": "e"}


def task(key: str, **settings: Any) -> dict[str, Any]:
    return {"task_key": key, **NOTEBOOK, **settings}


def for_each(inner: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"task_key": "loop", "for_each_task": {"inputs": "[1]", "task": inner, **settings}}


def after(key: str, **more: str) -> list[dict[str, str]]:
    return [{"task_key": key, **more}]


REFUSED = [
    ([task("a"), task("a")], "Duplicate task keys are not allowed: a."),
    (
        [task("a", depends_on=after("b")), task("b", depends_on=after("a"))],
        "Invalid dependency graph, the tasks form a cycle: a -> b -> a.",
    ),
    (
        [task("a", depends_on=after("a"))],
        "Invalid dependency graph, task 'a' can not reference itself.",
    ),
    (
        [task("a", depends_on=after("nope"))],
        "Invalid dependency graph, task 'a' depends on task 'nope', which does not exist.",
    ),
    (
        [task("a", job_cluster_key="big")],
        "Job cluster 'big' is not defined in field 'job_clusters'.",
    ),
    ([task("a", environment_key="e")], "Environment 'e' is not defined in field 'environments'."),
    (
        [task("a", existing_cluster_id="1", new_cluster={"num_workers": 1})],
        "Task 'a' can have only one of existing_cluster_id, new_cluster.",
    ),
    (
        [task("a", run_if="SOMETIMES")],
        "tasks.run_if has the unknown value 'SOMETIMES'; use one of "
        "ALL_DONE, ALL_FAILED, ALL_SUCCESS, AT_LEAST_ONE_FAILED, AT_LEAST_ONE_SUCCESS, NONE_FAILED.",
    ),
    (
        [task("a b")],
        "Task key 'a b' is invalid: use 1 to 100 letters, digits, '_' and '-'.",
    ),
    ([NOTEBOOK], "Missing required field: tasks.task_key"),
    ([{"task_key": "a"}], "Task 'a' must have exactly one task type, found: none."),
    (
        [task("a", sql_task={"warehouse_id": "w"})],
        "Task 'a' must have exactly one task type, found: notebook_task, sql_task.",
    ),
    (
        [{"task_key": "a", "sql_task": {"warehouse_id": "w"}}],
        "Task 'a': sql_task must have exactly one of alert, dashboard, file, query; found: none.",
    ),
    (
        [{"task_key": "a", "notebook_task": {}}],
        "Missing required field: tasks.notebook_task.notebook_path",
    ),
    (
        [
            {
                "task_key": "a",
                "python_wheel_task": {**WHEEL, "parameters": ["x"], "named_parameters": {"y": "z"}},
            }
        ],
        "Task 'a': python_wheel_task takes parameters or named_parameters, not both.",
    ),
    (
        [for_each(for_each(task("i")))],
        "Task 'loop': a for_each_task cannot contain another for_each_task.",
    ),
    (
        [for_each(task("i"), inputs=[1])],
        "Could not parse request object: Expected string for field "
        "'tasks.for_each_task.inputs', found ARRAY",
    ),
    (
        [{**for_each(task("i")), "max_retries": 3}],
        "Task 'loop': a for_each_task has no max_retries of its own; set it in for_each_task.task, "
        "whose iterations are tried again.",
    ),
    (
        [for_each(task("i"), concurrency=101)],
        "Task 'loop': concurrency must be between 1 and 100, got 101.",
    ),
    (
        [task("a"), task("b", depends_on=after("a", outcome="true"))],
        "Task 'b' names an outcome of 'a', which is not a condition task.",
    ),
    ([task(f"t{n}") for n in range(1001)], "The job has 1001 tasks; at most 1000 are allowed."),
    (
        [task("a", max_retries=-2)],
        "Task 'a': max_retries must be between -1 and 2147483647, got -2.",
    ),
    (
        "nonsense",
        "Could not parse request object: Expected array for field 'tasks', found STRING",
    ),
    ([7], "Could not parse request object: Expected object for field 'tasks', found NUMBER"),
]


@pytest.mark.parametrize(("tasks", "message"), REFUSED)
def test_refused(tasks: Any, message: str) -> None:
    refused({"name": "job", "tasks": tasks}, message)


def refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        checked(settings)
    assert refusal.value.message == message


CRON = {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "Europe/Zurich"}
BAD_CRON = (
    "Invalid quartz_cron_expression: 0 6 * * *. Databricks uses Quartz cron syntax, which is different from the "
    "standard cron syntax. See "
    "http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html for more details."
)
JOB_REFUSED = [
    ({"name": "é" * 2049}, "name has 4098 bytes; at most 4096 are allowed."),
    (
        {"name": ["a"]},
        "Could not parse request object: Expected string for field 'name', found ARRAY",
    ),
    ({"description": "x" * 27701}, "description has 27701 characters; at most 27700 are allowed."),
    ({"tags": {str(n): "" for n in range(26)}}, "tags has 26 entries; at most 25 are allowed."),
    ({"max_concurrent_runs": 1001}, "max_concurrent_runs must be between 0 and 1000, got 1001."),
    ({"timeout_seconds": -1}, "timeout_seconds must be between 0 and 2147483647, got -1."),
    ({"timeout_seconds": "soon"}, "timeout_seconds must be an integer, got 'soon'."),
    ({"schedule": {**CRON, "quartz_cron_expression": "0 6 * * *"}}, BAD_CRON),
    (
        {"schedule": {"timezone_id": "UTC"}},
        "Missing required field: schedule.quartz_cron_expression",
    ),
    (
        {"schedule": {**CRON, "timezone_id": "Mars/Base"}},
        "Invalid timezone_id: Mars/Base. Use a name such as Europe/Zurich.",
    ),
    (
        {"schedule": CRON, "continuous": {"pause_status": "PAUSED"}},
        "Only one of schedule, trigger, continuous, triggers can be set: ['schedule', 'continuous'].",
    ),
    (
        {"git_source": {"git_url": "https://host/repo"}},
        "git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,"
        "bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit",
    ),
    (
        {"parameters": [{"name": "a b", "default": ""}]},
        "The job parameter name 'a b' is invalid: use letters, digits, '_', '-' and '.'.",
    ),
    ({"parameters": [{"name": "a"}]}, "Missing required field: parameters.default"),
    (
        {"parameters": [{"name": "a", "default": ""}] * 2},
        "Duplicate job parameters are not allowed: a.",
    ),
    (
        {"environments": [{"environment_key": "e"}] * 2},
        "Duplicate environment keys are not allowed: e.",
    ),
    (
        {"job_clusters": [{"job_cluster_key": "c", "new_cluster": {}, "libraries": []}]},
        "Libraries cannot be declared in a shared job cluster. "
        "You must declare dependent libraries in task settings.",
    ),
]


@pytest.mark.parametrize(("settings", "message"), JOB_REFUSED)
def test_refused_in_a_job(settings: dict[str, Any], message: str) -> None:
    refused(settings, message)


def test_a_schedule_a_git_source_and_limits_that_are_just_met_are_stored_as_written() -> None:
    written = {
        "name": "é" * 2048,
        "description": "x" * 27700,
        "tags": {str(n): "" for n in range(25)},
        "schedule": {**CRON, "pause_status": "PAUSED"},
        "git_source": {"git_url": "https://host/repo", "git_provider": "gitHub"},
        "parameters": [{"name": "a.b-c_d", "default": "{{job.id}}"}],
        "tasks": [task(f"t{n}") for n in range(1000)],
    }
    stored = checked(written)
    assert {name: stored[name] for name in written if name != "tasks"} == {
        name: value for name, value in written.items() if name != "tasks"
    }
    assert len(stored["tasks"]) == 1000


@pytest.mark.parametrize(
    ("path", "shown"), [("schedule/pause_status", "'schedule/pause_status'"), (7, "7"), ("", "''")]
)
def test_only_top_level_fields_and_entries_can_be_removed(path: Any, shown: str) -> None:
    with pytest.raises(InvalidParameterValue) as refusal:
        updated({}, {}, [path])
    assert refusal.value.message == (
        f"fields_to_remove cannot name {shown}: name a top-level field, or an entry such as tasks/task_1."
    )


def test_defaults_are_filled_in() -> None:
    settings = checked({"tasks": [task("a")]})
    assert settings["name"] == "Untitled"
    assert settings["format"] == "MULTI_TASK"
    assert settings["max_concurrent_runs"] == 1
    assert settings["tasks"] == [
        {
            "task_key": "a",
            "notebook_task": {"notebook_path": "/n", "source": "WORKSPACE"},
            "run_if": "ALL_SUCCESS",
            "timeout_seconds": 0,
            "email_notifications": {},
        }
    ]


def test_numbers_may_come_as_text() -> None:
    settings = checked({"tasks": [task("a", max_retries="2")], "timeout_seconds": "0"})
    assert settings["tasks"][0]["max_retries"] == 2
    assert settings["timeout_seconds"] == 0


def test_the_callers_settings_are_not_changed() -> None:
    given = {"tasks": [task("a")]}
    checked(given)
    assert given == {"tasks": [task("a")]}


def test_update_merges_tasks_by_key_and_removes_fields() -> None:
    before = {"name": "job", "tags": {"x": "1"}, "tasks": [task("a"), task("b")]}
    changes = {"tasks": [task("b", max_retries=1), task("c")]}

    after_update = updated(before, changes, ["tags", "tasks/a"])

    assert after_update == {"name": "job", "tasks": [task("b", max_retries=1), task("c")]}
