"""Jobs and runs through the SDK, with tasks that really run."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.jobs import Run, RunOutput, RunResultState
from support.workspace_process import workspace_process

Json = dict[str, Any]
FOLDER = "/Workspace/Users/local@localhost/jobs"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    with workspace_process(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace.start()


@pytest.fixture
def notebook(client: WorkspaceClient) -> Callable[[str, str], str]:
    """Imports a notebook of one cell per paragraph and gives its path."""

    def write(name: str, source: str) -> str:
        path = f"{FOLDER}/{name}"
        text = "# Databricks notebook source\n" + source.replace(
            "\n\n", "\n\n# COMMAND ----------\n\n"
        )
        client.workspace.mkdirs(FOLDER)
        body = {"path": path, "format": "SOURCE", "language": "PYTHON", "overwrite": True}
        content = base64.b64encode(text.encode()).decode()
        client.api_client.do("POST", "/api/2.0/workspace/import", body={**body, "content": content})
        return path

    return write


def create(client: WorkspaceClient, *tasks: Json, **settings: Any) -> int:
    answer: Any = client.api_client.do(
        "POST", "/api/2.2/jobs/create", body={"name": "job", "tasks": tasks, **settings}
    )
    return int(answer["job_id"])


def notebook_task(key: str, path: str, **settings: Any) -> Json:
    parameters = settings.pop("parameters", {})
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": path, "base_parameters": parameters},
        **settings,
    }


def run(client: WorkspaceClient, job_id: int, **request: Any) -> Run:
    body = {"job_id": job_id, **request}
    answer: Any = client.api_client.do("POST", "/api/2.2/jobs/run-now", body=body)
    return ended(client, answer["run_id"])


def ended(client: WorkspaceClient, run_id: int) -> Run:
    from local_workspace.follow import follow

    return follow(client, run_id, lambda _: None)


def output(client: WorkspaceClient, run: Run, task_key: str) -> RunOutput:
    run_ids = [task.run_id for task in run.tasks or () if task.task_key == task_key]
    assert run_ids[-1] is not None
    return client.jobs.get_run_output(run_ids[-1])


def result(run: Run) -> RunResultState | None:
    assert run.state is not None
    return run.state.result_state


def test_a_notebook_reads_its_parameters_and_returns_a_result(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    path = notebook(
        "greet", "who = dbutils.widgets.get('who')\n\ndbutils.notebook.exit(f'hello {who}')"
    )
    job_id = create(
        client, notebook_task("greet", path), parameters=[{"name": "who", "default": "default"}]
    )

    by_default = run(client, job_id)
    by_request = run(client, job_id, job_parameters={"who": "request"})

    outputs = [output(client, r, "greet").notebook_output for r in (by_default, by_request)]
    assert [o.result for o in outputs if o] == ["hello default", "hello request"]


def test_task_values_reach_a_for_each_and_a_condition(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    producer = notebook("produce", "dbutils.jobs.taskValues.set('items', ['a', 'b'])")
    consumer = notebook("consume", "dbutils.notebook.exit(dbutils.widgets.get('item') + '!')")
    loop = {
        "task_key": "each",
        "depends_on": [{"task_key": "produce"}],
        "for_each_task": {
            "inputs": "{{tasks.produce.values.items}}",
            "concurrency": 2,
            "task": notebook_task("one", consumer, parameters={"item": "{{input}}"}),
        },
    }
    check = {
        "task_key": "check",
        "depends_on": [{"task_key": "each"}],
        "condition_task": {
            "op": "EQUAL_TO",
            "left": "{{tasks.each.result_state}}",
            "right": "success",
        },
    }
    never = notebook_task("never", consumer, depends_on=[{"task_key": "check", "outcome": "false"}])
    finished = run(client, create(client, notebook_task("produce", producer), loop, check, never))

    tasks = {task.task_key: task for task in finished.tasks or ()}
    assert result(finished) is RunResultState.SUCCESS
    assert tasks["check"].condition_task is not None
    assert tasks["check"].condition_task.outcome == "true"
    assert tasks["never"].state is not None
    assert tasks["never"].state.result_state is RunResultState.EXCLUDED
    each = client.jobs.get_run(tasks["each"].run_id or 0)
    results = [
        client.jobs.get_run_output(i.run_id or 0).notebook_output for i in each.iterations or ()
    ]
    assert [r.result for r in results if r] == ["a!", "b!"]


def test_a_failed_run_is_repaired_where_it_failed(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    fine = notebook("fine", "print('fine')")
    job_id = create(
        client,
        notebook_task("first", fine),
        notebook_task("second", fine, depends_on=[{"task_key": "first"}]),
        notebook_task("third", fine, depends_on=[{"task_key": "second"}]),
    )
    client.api_client.do("POST", "/api/local/faults", body={"task": "second"})
    failed = run(client, job_id)
    assert result(failed) is RunResultState.FAILED
    assert (
        output(client, failed, "second").error
        == "InjectedFault: Fault injected by the local workspace."
    )

    assert failed.run_id is not None
    repair = client.jobs.repair_run(failed.run_id, rerun_all_failed_tasks=True).response
    repaired = ended(client, failed.run_id)

    keys = [task.task_key for task in repaired.tasks or ()]
    assert result(repaired) is RunResultState.SUCCESS
    assert sorted(keys) == ["first", "second", "second", "third", "third"]
    history = client.jobs.get_run(failed.run_id, include_history=True).repair_history or []
    assert [item.id for item in history] == [None, repair.repair_id]
    with pytest.raises(InvalidParameterValue, match="no failed task to repair"):
        client.jobs.repair_run(
            failed.run_id, rerun_all_failed_tasks=True, latest_repair_id=repair.repair_id
        )


def test_an_exception_becomes_error_and_trace(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    path = notebook("broken", "def divide(x):\n    return 1 / x\n\ndivide(0)")
    failed = run(client, create(client, notebook_task("broken", path)))

    shown = output(client, failed, "broken")
    assert shown.error == "ZeroDivisionError: division by zero"
    assert "return 1 / x" in (shown.error_trace or "")
    assert failed.state is not None
    assert failed.state.state_message == (
        "Task broken failed with message: Workload failed, see run output for details."
    )


def test_spark_in_a_task_writes_a_table_that_sql_reads(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    path = notebook(
        "write",
        "spark.sql('CREATE SCHEMA IF NOT EXISTS main.jobs_test')\n\n"
        "spark.sql('CREATE TABLE main.jobs_test.numbers AS SELECT 1 AS n UNION ALL SELECT 2')",
    )
    finished = run(client, create(client, notebook_task("write", path)))
    assert result(finished) is RunResultState.SUCCESS, output(client, finished, "write").error_trace

    from local_workspace.statement import rows_of

    rows = rows_of(client, "SELECT n FROM main.jobs_test.numbers ORDER BY n")
    assert rows == (["n"], [["1"], ["2"]])


def test_a_running_task_is_cancelled(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    path = notebook("wait", "import time\n\ntime.sleep(600)")
    job_id = create(client, notebook_task("wait", path))
    started: Any = client.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": job_id})
    client.jobs.cancel_run(started["run_id"])
    assert result(ended(client, started["run_id"])) is RunResultState.CANCELED


def test_a_task_kind_that_is_not_there_fails_and_says_so(client: WorkspaceClient) -> None:
    jar = {"task_key": "jar", "spark_jar_task": {"main_class_name": "Main"}}
    failed = run(client, create(client, jar))
    assert "does not have spark_jar_task" in (output(client, failed, "jar").error or "")


def test_missing_things_are_named(client: WorkspaceClient) -> None:
    with pytest.raises(ResourceDoesNotExist, match=r"Job 5 does not exist\."):
        client.jobs.get(5)
    with pytest.raises(ResourceDoesNotExist, match=r"Run 5 does not exist\."):
        client.jobs.get_run(5)


def test_reset_replaces_and_echoes_the_settings(client: WorkspaceClient) -> None:
    job_id = create(client, notebook_task("a", "/n"), tags={"old": "1"})
    new = {"name": "renamed", "tasks": [notebook_task("b", "/m")]}
    client.api_client.do(
        "POST", "/api/2.2/jobs/reset", body={"job_id": job_id, "new_settings": new}
    )

    settings = client.jobs.get(job_id).settings
    assert settings is not None
    assert (settings.name, settings.tags, [t.task_key for t in settings.tasks or ()]) == (
        "renamed",
        None,
        ["b"],
    )
    assert job_id in [job.job_id for job in client.jobs.list(name="RENAMED")]


def test_the_same_token_gives_the_same_run(
    client: WorkspaceClient, notebook: Callable[[str, str], str]
) -> None:
    job_id = create(client, notebook_task("a", notebook("a", "print(1)")))
    request = {"job_id": job_id, "idempotency_token": "once"}
    first, second = (
        json.dumps(client.api_client.do("POST", "/api/2.2/jobs/run-now", body=request))
        for _ in range(2)
    )
    assert first == second
