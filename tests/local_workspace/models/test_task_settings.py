"""Parameters by precedence, conditions, for-each inputs."""

from typing import Any

import pytest

from local_workspace.models.run import Execution
from local_workspace.models.task_settings import condition, effective_task, inputs_of


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


@pytest.mark.parametrize(
    ("op", "left", "right", "expected"),
    [
        ("EQUAL_TO", "12.0", "12", False),
        ("NOT_EQUAL", "12.0", "12", True),
        ("GREATER_THAN_OR_EQUAL", "12.0", "12", True),
        ("LESS_THAN", "9", "10", True),
        ("LESS_THAN_OR_EQUAL", "0.0", "1.0", True),
        ("GREATER_THAN", "2", "10", False),
        ("EQUAL_TO", "true", "true", True),
    ],
)
def test_conditions_compare_text_or_numbers(op: str, left: str, right: str, expected: bool) -> None:
    assert condition(op, left, right) is expected


def test_a_numeric_condition_refuses_text() -> None:
    with pytest.raises(ValueError, match="compares numbers, got 'many' and '1'"):
        condition("LESS_THAN", "many", "1")


def test_inputs_are_a_json_array() -> None:
    assert inputs_of('["a", {"b": 1}]') == ["a", {"b": 1}]


@pytest.mark.parametrize("text", ["{}", "a,b", ""])
def test_other_inputs_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a JSON array"):
        inputs_of(text)
