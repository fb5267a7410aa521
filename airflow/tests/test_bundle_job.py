"""What the DAGs send to a job."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

import bundle_job

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def context(
    *,
    params: dict[str, Any] | None = None,
    clear_number: int = 0,
    max_tries: int = 3,
    caused_by: list[SimpleNamespace] | None = None,
) -> Any:
    dag_run = SimpleNamespace(
        run_id="manual__1", logical_date=None, run_after=NOON, clear_number=clear_number
    )
    ti = SimpleNamespace(dag_id="renewables_ingest", run_id="manual__1", max_tries=max_tries)
    return {
        "params": params or {},
        "dag_run": dag_run,
        "ti": ti,
        "triggering_asset_events": {"bronze": caused_by or []},
    }


def test_a_param_that_is_not_set_is_not_sent() -> None:
    assert bundle_job.job_parameters(context(params={"source_uri": None})) == {
        "logical_date": "2026-11-21T12:00:00+00:00",
        "airflow_run_id": "manual__1",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [("s3://bucket/owid", "s3://bucket/owid"), (["Côte d'Ivoire"], '["C\\u00f4te d\'Ivoire"]')],
)
def test_params_travel_as_text(value: Any, text: str) -> None:
    assert bundle_job.job_parameters(context(params={"given": value}))["given"] == text


def test_the_token_is_the_same_in_a_retry_and_new_after_a_clear() -> None:
    token = bundle_job.idempotency_token(context())
    assert token == bundle_job.idempotency_token(context())
    assert token != bundle_job.idempotency_token(context(max_tries=7))
    assert len(token) <= 64


def test_repair_recognises_the_run_that_was_started() -> None:
    for cleared in (0, 2):
        started = bundle_job.job_parameters(context(clear_number=cleared))
        assert bundle_job.run_identity(context(clear_number=cleared)).items() <= started.items()


def test_a_run_from_before_a_clear_is_not_taken_for_the_new_one() -> None:
    assert bundle_job.run_identity(context(clear_number=1)) == {"airflow_run_id": "manual__1#1"}


def test_rerun_tasks_is_for_the_repair_alone() -> None:
    chosen = context(params={"rerun_tasks": ["load"]})
    assert "rerun_tasks" not in bundle_job.job_parameters(chosen)
    assert bundle_job.rerun_tasks(chosen) == ["load"]
    assert bundle_job.rerun_tasks(context(params={"rerun_tasks": []})) is None


def test_the_job_run_says_which_ingest_caused_it() -> None:
    events = [SimpleNamespace(extra={"run_id": run_id}) for run_id in (11, 12)]
    assert bundle_job.job_parameters(context(caused_by=events))["ingest_run_id"] == "12"


def test_a_failure_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    dag_run = SimpleNamespace(run_id="manual__1", dag_id="renewables_ingest")
    bundle_job.log_failure({"dag_run": dag_run, "reason": "task_failure"})
    assert caplog.messages == ["DAG run manual__1 of renewables_ingest failed: task_failure"]
