"""What is refused in job settings, and what is filled in."""

from typing import Any

import pytest

from local_workspace.errors import ApiError
from local_workspace.models.job_settings import checked, updated

NOTEBOOK = {"notebook_task": {"notebook_path": "/n"}}


def task(key: str, **settings: Any) -> dict[str, Any]:
    return {"task_key": key, **NOTEBOOK, **settings}


def for_each(inner: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"task_key": "loop", "for_each_task": {"inputs": "[1]", "task": inner, **settings}}


def after(key: str, **more: str) -> list[dict[str, str]]:
    return [{"task_key": key, **more}]


REFUSED = [
    ([task("a"), task("a")], "Duplicate task keys are not allowed: a"),
    ([task("a", depends_on=after("b")), task("b", depends_on=after("a"))], "cycle through 'a'"),
    ([task("a", depends_on=after("a"))], "cycle through 'a'"),
    ([task("a", depends_on=after("nope"))], "depends on the task 'nope', which does not exist"),
    (
        [task("a", job_cluster_key="big")],
        "job_cluster_key 'big', which job_clusters does not define",
    ),
    ([task("a", environment_key="e")], "environment_key 'e', which environments does not define"),
    ([task("a", run_if="SOMETIMES")], "unknown run_if 'SOMETIMES'"),
    ([task("a b")], "Task key 'a b' is invalid"),
    ([{"task_key": "a"}], "exactly one task type, found: none"),
    ([task("a", sql_task={})], "found: notebook_task, sql_task"),
    ([for_each(for_each(task("i")))], "cannot contain another for_each_task"),
    ([for_each(task("i"), inputs=[1])], "inputs must be a string"),
    ([for_each(task("i"), concurrency=101)], "concurrency must be between 1 and 100"),
    ([task("a"), task("b", depends_on=after("a", outcome="true"))], "is not a condition task"),
    ([task(f"t{n}") for n in range(1001)], "1001 tasks; at most 1000"),
    ("nonsense", "Expected array of objects for field 'tasks'"),
]


@pytest.mark.parametrize(("tasks", "message"), REFUSED)
def test_refused(tasks: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        checked({"name": "job", "tasks": tasks})


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
