"""The eleven rules that break clients when they are ignored: what is on the wire, and the client that needs it.

Each comes from one of: databricks-sdk-py, the Databricks CLI, Airflow's Databricks provider.
"""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.errors import ResourceDoesNotExist
from scripted import (
    ScriptedWorkspace,
    condition,
    entries,
    for_each,
    life_cycle,
    notebook,
    run_job,
)

from local_workspace.execution.attempt import SUCCEEDED, Ending

Json = dict[str, Any]


@pytest.fixture
def every_kind(scripted: ScriptedWorkspace) -> Json:
    """A run with a task in each of the states that a task can end in."""
    scripted.tasks.endings = {
        "notebook": [Ending(SUCCEEDED, {"result": "r"})],
        "fails": [False],
        "sql": [
            Ending(SUCCEEDED, {"sql": {"query_text": "", "warehouse_id": "w", "statements": 1}})
        ],
    }
    wheel = {"package_name": "p", "entry_point": "e"}
    child = scripted.create(condition("c", "1", "1"), name="child")
    job_id = scripted.create(
        notebook("notebook"),
        condition("check", "1", "2"),
        notebook("excluded", depends_on=[{"task_key": "check", "outcome": "true"}]),
        for_each("loop", "[1, 2]", condition("one", "{{input}}", "1")),
        notebook("fails", max_retries=1),
        notebook("skipped", "fails"),
        notebook("disabled", disabled=True),
        run_job("call", child),
        {"task_key": "wheel", "python_wheel_task": wheel},
        {"task_key": "script", "spark_python_task": {"python_file": "/f.py"}},
        {"task_key": "sql", "sql_task": {"warehouse_id": "w", "file": {"path": "/f.sql"}}},
    )
    return scripted.run(job_id)


def test_1_the_last_page_has_no_token(scripted: ScriptedWorkspace) -> None:
    """The Python SDK pages as long as there is one, an empty one too."""
    job_id = scripted.create(*(notebook(f"t{n}", disabled=True) for n in range(101)))
    run_id = scripted.run(job_id)["run_id"]
    scripted.create(notebook("a"))
    for path, query in (
        ("get", {"job_id": job_id}),
        ("runs/get", {"run_id": run_id}),
        ("list", {"limit": 1}),
    ):
        first = scripted.get(path, **query)
        last = scripted.get(path, **query, page_token=first["next_page_token"])
        assert "next_page_token" not in last
        assert "has_more" not in last


def test_2_nothing_is_null(scripted: ScriptedWorkspace, every_kind: Json) -> None:
    """Airflow reads with `.get(key, default)`, which gives None for a null."""
    job_id = every_kind["job_id"]
    scripted.post("update", job_id=job_id, new_settings={"description": None, "tags": None})
    answers = [
        every_kind,
        scripted.get("runs/get", run_id=every_kind["run_id"], include_history=True),
        scripted.get("get", job_id=job_id),
        scripted.get("list", expand_tasks=True),
        scripted.get("runs/list", expand_tasks=True),
        *(scripted.get("runs/get-output", run_id=t["run_id"]) for t in every_kind["tasks"]),
    ]
    assert [path for answer in answers for path in _nulls(answer)] == []
    assert scripted.get("list", name="nothing") == {}
    assert scripted.get("runs/list", job_id=5) == {}


def _nulls(value: Any, path: str = "") -> list[str]:
    if value is None:
        return [path]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    return [null for key, item in items for null in _nulls(item, f"{path}/{key}")]


def test_3_every_answer_is_a_json_object(scripted: ScriptedWorkspace) -> None:
    """Airflow parses every answer, and looks at the content type."""
    scripted.tasks.held = {"a"}
    job_id = scripted.create(notebook("a"))
    run_id = scripted.start(job_id)
    for path, body in (
        ("update", {"job_id": job_id, "new_settings": {"name": "b"}}),
        ("reset", {"job_id": job_id, "new_settings": {"tasks": [notebook("a")]}}),
        ("runs/cancel-all", {"job_id": job_id}),
        ("runs/cancel", {"run_id": run_id}),
        ("runs/delete", {"run_id": run_id}),
        ("delete", {"job_id": job_id}),
    ):
        if path == "runs/delete":
            scripted.ended(run_id)
        answer = scripted.client.api_client.do(
            "POST", f"/api/2.2/jobs/{path}", body=body, response_headers=["Content-Type"]
        )
        assert answer == {"Content-Type": "application/json"}, path


def test_4_parameters_of_a_get_may_come_in_its_body(scripted: ScriptedWorkspace) -> None:
    """Airflow's deferrable calls send them so."""
    run = scripted.run(scripted.create(notebook("a")))
    view = scripted.client.api_client.do(
        "GET", "/api/2.2/jobs/runs/get", body={"run_id": run["run_id"], "include_history": True}
    )
    assert isinstance(view, dict)
    assert (view["run_id"], len(view["repair_history"])) == (run["run_id"], 1)


def test_5_numbers_and_booleans_may_come_as_text(scripted: ScriptedWorkspace) -> None:
    """Airflow turns all numbers of an operator's JSON into text; `requests` sends `True`, and an empty token."""
    job_id = scripted.create(notebook("a", timeout_seconds="5"), max_concurrent_runs="2")
    query = {"limit": "25", "expand_tasks": "False", "page_token": "", "name": "job"}
    (job,) = scripted.get("list", **query, include_user_names="False")["jobs"]
    assert (job["job_id"], job["settings"]["max_concurrent_runs"]) == (job_id, 2)
    run = scripted.run(int(job_id), queue={"enabled": "True"})
    assert scripted.get("runs/get", run_id=str(run["run_id"]))["run_id"] == run["run_id"]


def test_6_state_is_on_every_run_and_task(scripted: ScriptedWorkspace, every_kind: Json) -> None:
    """The CLI follows the pointer without looking, before a run has started too."""
    scripted.tasks.held = {"a"}
    run_id = scripted.start(scripted.create(notebook("a"), notebook("b", "a")))
    active = scripted.get("runs/get", run_id=run_id)
    for view in (active, every_kind, *scripted.get("runs/list")["runs"]):
        for entry in (view, *view.get("tasks", ())):
            assert entry["state"]["life_cycle_state"]
            assert isinstance(entry["state"]["state_message"], str)


def test_7_every_task_has_a_start_time(scripted: ScriptedWorkspace, every_kind: Json) -> None:
    """Airflow sorts by it; one that never started has 0, and the newest attempt has the greatest."""
    starts = {task["task_key"]: task["start_time"] for task in every_kind["tasks"]}
    assert starts["skipped"] == starts["excluded"] == starts["disabled"] == 0
    first, second = entries(every_kind, "fails")
    assert 0 < first["start_time"] < second["start_time"]
    repaired = scripted.repair(every_kind["run_id"], rerun_all_failed_tasks=True)
    times = [task["start_time"] for task in entries(repaired, "fails")]
    assert times == sorted(set(times))


def test_8_a_task_run_is_read_as_a_run(scripted: ScriptedWorkspace, every_kind: Json) -> None:
    """Airflow's task operators poll with the task run's id."""
    for task in every_kind["tasks"]:
        view = scripted.get("runs/get", run_id=task["run_id"])
        assert view["run_id"] == task["run_id"]
        assert view["state"] == task["state"]
        assert view["run_page_url"].endswith(f"run/{task['run_id']}")


def test_9_the_history_always_has_the_original(scripted: ScriptedWorkspace) -> None:
    """Airflow takes the last item's id as latest_repair_id."""
    scripted.tasks.held = {"a"}
    job_id = scripted.create(notebook("a"))
    active, queued = scripted.start(job_id), scripted.start(job_id)
    skipped = scripted.start(job_id, queue={"enabled": False})
    for run_id, state in ((active, "RUNNING"), (queued, "QUEUED"), (skipped, "SKIPPED")):
        scripted.until_started("a")
        (item,) = scripted.get("runs/get", run_id=run_id, include_history=True)["repair_history"]
        assert (item["type"], life_cycle(item)) == ("ORIGINAL", state)
        assert "id" not in item


def test_10_every_task_has_an_output(scripted: ScriptedWorkspace, every_kind: Json) -> None:
    """`bundle run` asks for the output of every entry of tasks[], and fails if one has none."""
    loop = entries(every_kind, "loop")[0]["run_id"]
    iterations = scripted.get("runs/get", run_id=loop)["iterations"]
    for task in (*every_kind["tasks"], *iterations):
        output = scripted.get("runs/get-output", run_id=task["run_id"])
        assert output["metadata"]["run_id"] == task["run_id"]
    outputs = {
        task["task_key"]: scripted.get("runs/get-output", run_id=task["run_id"])
        for task in every_kind["tasks"]
    }
    assert outputs["notebook"]["notebook_output"] == {"result": "r", "truncated": False}
    assert outputs["call"]["run_job_output"]["run_id"] > 0
    assert outputs["wheel"]["logs"] == ""
    assert outputs["fails"]["error"] == "E: no"
    assert set(outputs["check"]) == set(outputs["loop"]) == {"metadata"}


def test_11_state_survives_a_restart(scripted: ScriptedWorkspace, every_kind: Json) -> None:
    """The CLI keeps what it synchronised, Airflow keeps run ids."""
    run_id, job_id = every_kind["run_id"], every_kind["job_id"]
    before = [scripted.get("runs/get", run_id=run_id), scripted.get("get", job_id=job_id)]
    scripted.client.workspace.mkdirs("/Workspace/kept")
    scripted.restart()
    after = [scripted.get("runs/get", run_id=run_id), scripted.get("get", job_id=job_id)]
    assert after == before
    assert scripted.client.workspace.get_status("/Workspace/kept").path == "/Workspace/kept"


def test_what_is_missing_is_404_for_those_who_ask_again(scripted: ScriptedWorkspace) -> None:
    """Airflow starts a new run only after a 404, the CLI takes one for a job that is gone."""
    for call, message in (
        (lambda: scripted.client.jobs.get(5), "Job 5 does not exist."),
        (lambda: scripted.client.jobs.get_run(5), "Run 5 does not exist."),
        (lambda: scripted.client.jobs.delete(5), "Job 5 does not exist."),
    ):
        with pytest.raises(ResourceDoesNotExist) as refusal:
            call()
        assert str(refusal.value) == message
