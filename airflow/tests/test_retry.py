"""When run-now is tried again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow.sdk import RetryAction

from databricks_repair import RetryUntilRunExists


def decide(xcoms: dict[str, Any]) -> RetryAction:
    def xcom_pull(*, task_ids: str, key: str) -> Any:
        return xcoms.get(f"{task_ids}.{key}")

    ti = SimpleNamespace(task_id="run", xcom_pull=xcom_pull)
    return RetryUntilRunExists().evaluate(ValueError(), 1, 3, {"ti": ti}).action


def test_no_run_means_the_usual_retries() -> None:
    assert decide({}) is RetryAction.DEFAULT


def test_a_run_is_left_to_the_repair() -> None:
    assert decide({"run.run_id": 1001}) is RetryAction.FAIL
