"""Dynamic value references."""

import re

import pytest

from local_workspace.models.lifecycle import Outcome
from local_workspace.models.references import (
    NotAScalar,
    Scope,
    TaskScope,
    UnknownReference,
    named_tasks,
    resolve,
)
from local_workspace.models.task_settings import resolved_task

SCOPE = Scope(
    job_id=7,
    job_name="nightly",
    run_id=70,
    repair_count=2,
    start_time=1_700_000_000_123,
    trigger="ONE_TIME",
    workspace_id=1,
    workspace_url="http://127.0.0.1:1",
    parameters={"country": "Norway", "my-key": "dashed"},
    task=TaskScope(name="here", run_id=71, execution_count=3, notebook_path="/Workspace/n"),
    tasks={
        "up": TaskScope(
            name="up",
            run_id=72,
            execution_count=1,
            notebook_path="/Workspace/up",
            outcome=Outcome.SUCCESS,
            values={"files": ["a.csv", "b.csv"], "count": 2, "name": "x"},
            rows=[{"n": "5", "label": "five"}],
        ),
        "broken": TaskScope(
            name="broken",
            run_id=73,
            execution_count=1,
            outcome=Outcome.INTERNAL_ERROR,
            error_code="RUN_EXECUTION_ERROR",
        ),
    },
    input={"code": "CHE", "years": [1, 2]},
)

RESOLVED = [
    ("{{job.id}}", "7"),
    ("{{job.name}}", "nightly"),
    ("{{job.run_id}}", "70"),
    ("{{job.repair_count}}", "2"),
    ("{{job.start_time.iso_date}}", "2023-11-14"),
    ("{{job.start_time.iso_datetime}}", "2023-11-14T22:13:20"),
    ("{{job.start_time.year}}", "2023"),
    ("{{job.start_time.month}}-{{job.start_time.day}}", "11-14"),
    ("{{job.start_time.hour}}:{{job.start_time.minute}}:{{job.start_time.second}}", "22:13:20"),
    ("{{job.trigger.time.iso_date}}", "2023-11-14"),
    ("{{job.start_time.is_weekday}}", "true"),
    ("{{job.start_time.iso_weekday}}", "2"),
    ("{{job.start_time.timestamp_ms}}", "1700000000123"),
    ("{{job.trigger.type}}", "one_time"),
    ("{{job.parameters.country}}", "Norway"),
    ("{{job.parameters.`my-key`}}", "dashed"),
    ("{{task.name}}", "here"),
    ("{{task.run_id}}", "71"),
    ("{{task.execution_count}}", "3"),
    ("{{task.notebook_path}}", "/Workspace/n"),
    ("{{tasks.up.run_id}}", "72"),
    ("{{tasks.up.result_state}}", "success"),
    ("{{tasks.up.error_code}}", ""),
    ("{{tasks.up.execution_count}}", "1"),
    ("{{tasks.up.notebook_path}}", "/Workspace/up"),
    ("{{tasks.broken.result_state}}", "failed"),
    ("{{tasks.broken.error_code}}", "RunExecutionError"),
    ("{{tasks.up.values.files}}", '["a.csv", "b.csv"]'),
    ("{{tasks.up.values.name}}", "x"),
    ("{{tasks.up.output.first_row.label}}", "five"),
    ("{{tasks.up.output.rows}}", '[{"n": "5", "label": "five"}]'),
    ("{{tasks.up.output.first_row}}", '{"n": "5", "label": "five"}'),
    ("{{workspace.id}}", "1"),
    ("{{workspace.url}}", "http://127.0.0.1:1"),
    ("{{input}}", '{"code": "CHE", "years": [1, 2]}'),
    ("{{input.code}}", "CHE"),
    ("{{input.years}}", "[1, 2]"),
    ("from {{ job.id }} to {{job.run_id}}", "from 7 to 70"),
    ("{{run_id}} of {{job_id}}", "71 of 7"),
    ("{{parent_run_id}} {{task_key}} {{task_retry_count}}", "70 here 2"),
    ("{{start_date}} {{start_time}}", "2023-11-14 1700000000123"),
]


@pytest.mark.parametrize(("text", "expected"), RESOLVED)
def test_documented_references(text: str, expected: str) -> None:
    assert resolve(text, SCOPE) == expected


@pytest.mark.parametrize("text", ["{{nothing.known}}", "{{ }}", "{{job.id", "{job.id}", "plain"])
def test_other_text_stays(text: str) -> None:
    assert resolve(text, SCOPE) == text


@pytest.mark.parametrize(
    "text",
    [
        "{{job.notebook_url}}",
        "{{job.parameters.absent}}",
        "{{tasks.other.run_id}}",
        "{{tasks.up.values.no}}",
        "{{tasks.up.output.alert_state}}",
        "{{tasks.broken.output.rows}}",
        "{{task.values.x}}",
        "{{job.start_time.century}}",
        "{{job.trigger.file_arrival.location}}",
        "{{backfill.iso_date}}",
        "{{workspace.name}}",
        "{{input.absent}}",
    ],
)
def test_an_unknown_name_in_a_known_namespace_is_an_error(text: str) -> None:
    with pytest.raises(UnknownReference, match=r"names nothing that is known"):
        resolve(text, SCOPE)


def test_references_are_found_in_nested_settings() -> None:
    settings = {"a": ["{{job.id}}", {"b": "{{input.code}}"}], "n": 1}
    assert resolve(settings, SCOPE) == {"a": ["7", {"b": "CHE"}], "n": 1}


def test_the_tasks_that_references_name_are_known_without_resolving_them() -> None:
    settings = {
        "a": ["{{tasks.up.values.x}}, {{job.id}}", {"b": "{{ tasks.`x-y`.run_id }}"}],
        "n": 1,
    }
    assert named_tasks(settings) == {"up", "x-y"}
    assert named_tasks("tasks.up, {{tasks}}, {{task.name}}") == set()


@pytest.mark.parametrize(
    ("reference", "shown"),
    [("{{tasks.up.values.files}}", '["a.csv", "b.csv"]'), ("{{input}}", '{"code": "CHE"')],
)
def test_a_condition_compares_no_arrays_and_no_objects(reference: str, shown: str) -> None:
    condition = {"op": "EQUAL_TO", "left": f"is {reference}", "right": "{{tasks.up.values.count}}"}
    message = f"The reference {reference} is {shown}"
    with pytest.raises(NotAScalar, match=re.escape(message)):
        resolved_task({"condition_task": condition}, SCOPE)
    assert resolved_task({"condition_task": {**condition, "left": "{{input.code}}"}}, SCOPE) == {
        "condition_task": {"op": "EQUAL_TO", "left": "CHE", "right": "2"}
    }


def test_of_a_loop_only_the_inputs_are_resolved_before_its_iterations() -> None:
    inner = {"task_key": "i", "notebook_task": {"notebook_path": "{{input.code}}"}}
    loop = {"inputs": "{{tasks.up.values.files}}", "task": inner}
    resolved = resolved_task({"task_key": "{{job.id}}", "for_each_task": loop}, SCOPE)
    assert resolved == {
        "task_key": "7",
        "for_each_task": {"inputs": '["a.csv", "b.csv"]', "task": inner},
    }
