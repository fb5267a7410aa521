"""When a task that starts a run may start over."""

from __future__ import annotations

from airflow.providers.databricks.operators.databricks import XCOM_RUN_ID_KEY
from airflow.sdk import Context, RetryDecision, RetryPolicy


class RetryUntilRunExists(RetryPolicy):
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
        if context is None:
            return RetryDecision.default()
        ti = context["ti"]
        run_id = ti.xcom_pull(task_ids=ti.task_id, key=XCOM_RUN_ID_KEY)
        if run_id is None:
            return RetryDecision.default()
        return RetryDecision.fail(f"Databricks run {run_id} exists; a repair follows it up")
