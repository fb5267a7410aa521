"""What the DAGs share: how a job of the bundle is started, repaired and its table published."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Context, task
from airflow.sdk.configuration import conf
from jinja2 import StrictUndefined

from databricks_repair import RetryUntilRunExists

# The job's own timeout_seconds is shorter, so a slow cluster is Databricks' to judge.
_EXECUTION_TIMEOUT = timedelta(hours=2)


def job_parameters(context: Context, **_: Any) -> dict[str, str]:
    """Render the job parameters of a DAG run: its Params that are set, and which run it is."""
    dag_run = context["dag_run"]
    values = {name: value for name, value in context["params"].items() if value is not None}
    return {
        **{name: _text(value) for name, value in values.items()},
        "logical_date": (dag_run.logical_date or dag_run.run_after).isoformat(),
        "airflow_run_id": _airflow_run_id(context),
    }


def run_identity(context: Context, **_: Any) -> dict[str, str]:
    """Render the job parameter by which the repair step recognises the run of a DAG run."""
    return {"airflow_run_id": _airflow_run_id(context)}


def idempotency_token(context: Context, **_: Any) -> str:
    """Render a token of 36 characters, the same in all retries of run-now and new after a clear."""
    ti = context["ti"]
    # Airflow changes max_tries when a person clears a task, and only then.
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{ti.dag_id}/{ti.run_id}/{ti.max_tries}"))


def _airflow_run_id(context: Context) -> str:
    dag_run = context["dag_run"]
    cleared = dag_run.clear_number or 0
    return f"{dag_run.run_id}#{cleared}" if cleared else dag_run.run_id


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


DEFAULT_ARGS: dict[str, Any] = {
    "owner": "renewables",
    "databricks_conn_id": "databricks_default",
    "deferrable": True,
    "polling_period_seconds": conf.getint("renewables", "polling_period_seconds", fallback=30),
    # Six attempts per request, 1 to 16 s apart, for answers of 429 and 5xx.
    "databricks_retry_limit": 6,
    "execution_timeout": _EXECUTION_TIMEOUT,
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}

DAG_ARGS: dict[str, Any] = {
    "default_args": DEFAULT_ARGS,
    # A job that the Variable does not name is an error and not an empty job id.
    "template_undefined": StrictUndefined,
    "tags": ["renewables", "databricks"],
}

RUN: dict[str, Any] = {
    "job_parameters": job_parameters,
    "idempotency_token": idempotency_token,
    "retry_policy": RetryUntilRunExists(),
}

REPAIR: dict[str, Any] = {
    "run_id": "{{ ti.xcom_pull(task_ids='run', key='run_id') }}",
    "run_parameters": run_identity,
}


def publish(asset: Asset) -> Any:
    """Make the task that announces `asset` once the run or its repair has succeeded."""

    @task(task_id="published", outlets=[asset], trigger_rule="one_success")
    def published(*, ti: Any = None, outlet_events: Any = None) -> None:
        extra = {}
        for key in ("run_id", "run_page_url"):
            values = ti.xcom_pull(task_ids=["repair", "run"], key=key)
            extra[key] = next(filter(None, values), None)
        outlet_events[asset].extra = extra

    return published()
