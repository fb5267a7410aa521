"""When run-now is tried again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowNotFoundException
from jinja2 import UndefinedError

from databricks_repair import RetryUnlessRefused, RetryUntilRunExists


def decide(xcoms: dict[str, Any]) -> RetryAction:
    def xcom_pull(*, task_ids: str, key: str) -> Any:
        return xcoms.get(f"{task_ids}.{key}")

    ti = SimpleNamespace(task_id="run", xcom_pull=xcom_pull)
    return RetryUntilRunExists().evaluate(ValueError(), 1, 3, {"ti": ti}).action


def test_no_run_means_the_usual_retries() -> None:
    assert decide({}) is RetryAction.DEFAULT


def test_a_run_is_left_to_the_repair() -> None:
    assert decide({"run.run_id": 1001}) is RetryAction.FAIL


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (DatabricksApiError("Job 7 does not exist.", http_status_code=400), RetryAction.FAIL),
        (DatabricksApiError("No permission.", http_status_code=403), RetryAction.FAIL),
        (DatabricksApiError("Token expired.", http_status_code=401), RetryAction.DEFAULT),
        (DatabricksApiError("Try again.", http_status_code=503), RetryAction.DEFAULT),
        (UndefinedError("'dict object' has no attribute 'ingest'"), RetryAction.FAIL),
        (AirflowNotFoundException("The conn_id isn't defined"), RetryAction.FAIL),
        (ConnectionError("reset by peer"), RetryAction.DEFAULT),
    ],
    ids=lambda value: str(value),
)
def test_what_would_fail_again_is_not_retried(error: Exception, action: RetryAction) -> None:
    assert RetryUnlessRefused().evaluate(error, 1, 3).action is action
