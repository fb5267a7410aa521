"""When a task that talks to Databricks may start over."""

from __future__ import annotations

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.operators.databricks import XCOM_RUN_ID_KEY
from airflow.sdk import Context, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowNotFoundException
from jinja2 import UndefinedError

_REFUSALS = frozenset({400, 403, 404})


class RetryUnlessRefused(RetryPolicy):
    """Retry a task unless the next try must fail in the same way.

    That is so where a job id or the connection is missing, and where Databricks has refused the
    request itself: the job was deleted, or may not be run. An expired token (401) may be renewed.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        if isinstance(exception, UndefinedError | AirflowNotFoundException):
            return RetryDecision.fail(str(exception))
        if isinstance(exception, DatabricksApiError) and exception.http_status_code in _REFUSALS:
            return RetryDecision.fail(f"Databricks refuses: {exception}")
        return RetryDecision.default()


class RetryUntilRunExists(RetryUnlessRefused):
    """Retry a run-now task only as long as it has created no run.

    A run that exists is the repair task's to follow up, in whatever state it is; to retry run-now
    with the same idempotency token would only find it again, one retry delay later.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        if context is not None:
            ti = context["ti"]
            run_id = ti.xcom_pull(task_ids=ti.task_id, key=XCOM_RUN_ID_KEY)
            if run_id is not None:
                return RetryDecision.fail(f"Databricks run {run_id} exists; a repair follows it up")
        return super().evaluate(exception, try_number, max_tries, context)
