"""What the provider offers and no DAG of the project uses, with a real scheduler, triggerer and API server.

Each operator alone is tested in airflow/tests/test_provider_*.py.
"""

from __future__ import annotations

import io

from support.airflow_bench import GATES, STATEMENTS, WORKFLOW, Bench, SmallJob
from support.waiting import wait_until

from local_workspace.statement import rows_of

TABLE, GATE = "main.scenarios.workflow", f"{GATES}/workflow"


def workflow_job(bench: Bench) -> SmallJob:
    """What the task group has made of itself."""
    (job,) = bench.client.jobs.list(name="workflow.group")
    assert job.job_id is not None
    return SmallJob(bench.client, job.job_id, TABLE, GATE)


def test_a_workflow_group_is_one_run_that_can_be_repaired(bench: Bench) -> None:
    rows_of(bench.client, f"CREATE TABLE {TABLE} (task STRING) USING delta")
    bench.client.files.upload(GATE, io.BytesIO(b"open"), overwrite=True)
    bench.fault(task="second")
    dag_run = bench.trigger_dag(WORKFLOW)
    states = {"group.launch": "success", "group.first": "success", "group.second": "failed"}
    assert dag_run.end() == states
    job = workflow_job(bench)
    bench.client.jobs.repair_run(job.run_id, rerun_all_failed_tasks=True)
    dag_run.clear("group.second")
    assert dag_run.end() == {**states, "group.second": "success"}
    assert job.rows() == ["first", "second"]
    assert (len(job.runs()), job.repairs()) == (1, 1)


def test_statements_whose_tasks_a_person_ends_are_cancelled(bench: Bench) -> None:
    dag_run = bench.trigger_dag(STATEMENTS)
    for task in ("waiting", "deferred"):
        dag_run.until_polled(task)
        statement = dag_run.xcom(task, "statement_id")
        dag_run.fail(task)
        wait_until(
            lambda name=statement: bench.statement_state(name) == "CANCELED", f"{task}'s end"
        )
    assert dag_run.end() == {"waiting": "failed", "deferred": "failed"}


def test_the_connection_test_of_the_ui(bench: Bench) -> None:
    answers = [bench.test_connection(token) for token in (bench.token, "not-a-token")]
    assert answers[0] == {"status": True, "message": "Connection successfully tested"}
    assert not answers[1]["status"]
    assert "401" in answers[1]["message"]
