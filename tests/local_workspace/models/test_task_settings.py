"""Parameters by precedence, for-each inputs."""

from typing import Any

import pytest

from local_workspace.models.run import Execution, Misconfigured
from local_workspace.models.task_settings import effective_task, inputs_of


def execution(request: dict[str, Any]) -> Execution:
    settings = {"parameters": [{"name": "who", "default": "job default"}]}
    return Execution(1, 0, None, settings, request, 0, 0, None, None, "")


def test_a_run_value_wins_over_the_jobs_default() -> None:
    assert execution({"job_parameters": {"who": "run"}}).job_parameters == {"who": "run"}
    assert execution({}).job_parameters == {"who": "job default"}


def test_job_parameters_win_over_a_notebooks_own() -> None:
    task = {"notebook_task": {"base_parameters": {"who": "task", "other": "kept"}}}
    effective = effective_task(task, execution({}), {"who": "job"})
    assert effective["notebook_task"]["base_parameters"] == {"who": "job", "other": "kept"}


def test_legacy_parameters_win_over_a_notebooks_own() -> None:
    task = {"notebook_task": {"base_parameters": {"who": "task"}}}
    effective = effective_task(task, execution({"notebook_params": {"who": "legacy"}}), {})
    assert effective["notebook_task"]["base_parameters"] == {"who": "legacy"}


def test_positional_wheel_parameters_get_no_job_parameters() -> None:
    wheel = {"package_name": "p", "entry_point": "e", "parameters": ["x"]}
    effective = effective_task({"python_wheel_task": wheel}, execution({}), {"who": "job"})
    assert effective["python_wheel_task"] == wheel


def test_named_wheel_parameters_get_job_parameters() -> None:
    wheel = {"package_name": "p", "entry_point": "e", "named_parameters": {"a": "1"}}
    effective = effective_task({"python_wheel_task": wheel}, execution({}), {"who": "job"})
    assert effective["python_wheel_task"]["named_parameters"] == {"a": "1", "who": "job"}


def test_inputs_are_a_json_array() -> None:
    assert inputs_of('["a", {"b": 1}]') == ["a", {"b": 1}]


@pytest.mark.parametrize("text", ["{}", "a,b", ""])
def test_other_inputs_are_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="not a JSON array"):
        inputs_of(text)
