"""What the DAGs share: how a job of the bundle is started, repaired and its table published."""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from airflow.sdk import Asset, Context, Param, task
from airflow.sdk.configuration import conf
from jinja2 import StrictUndefined

from databricks_repair import FailureKind, RepairHook, RetryUnlessRefused, RetryUntilRunExists

logger = logging.getLogger(__name__)

# These steer Airflow's side and are no job parameters.
REPAIR_PARAMS: dict[str, Param] = {
    "rerun_tasks": Param(
        [],
        type="array",
        items={"type": "string"},
        description="Keys of the tasks that a repair runs again; empty: all that failed",
    ),
}

# The job's own timeout_seconds is shorter, so a slow cluster is Databricks' to judge.
_EXECUTION_TIMEOUT = timedelta(hours=2)


def job_parameters(context: Context, **_: Any) -> dict[str, str]:
    """Render the job parameters of a DAG run: its Params that are set, and which run it is."""
    dag_run = context["dag_run"]
    return {
        **{
            name: _text(value)
            for name, value in context["params"].items()
            if value is not None and name not in REPAIR_PARAMS
        },
        **_cause(cast("Mapping[str, Any]", context)),
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


def rerun_tasks(context: Context, **_: Any) -> list[str] | None:
    """Render which tasks a repair runs again; None means all that failed."""
    return list(context["params"]["rerun_tasks"]) or None


def log_failure(context: Context) -> None:
    """Log one line per DAG run that failed for good; a notifier of your own goes here.

    The DAG processor calls it, not a worker. A run that `repair` has healed is no failure.
    """
    dag_run = context["dag_run"]
    logger.error(
        "DAG run %s of %s failed: %s", dag_run.run_id, dag_run.dag_id, context.get("reason")
    )


def _cause(context: Mapping[str, Any]) -> dict[str, str]:
    """The job run whose table started this DAG run, the newest where there are several."""
    events = [event for events in context["triggering_asset_events"].values() for event in events]
    runs = [str(event.extra["run_id"]) for event in events if event.extra.get("run_id")]
    return {"ingest_run_id": runs[-1]} if runs else {}


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
    # Up to six attempts per request for answers of 429 and 5xx, after 1, 2, 4, 8, 16 s.
    "databricks_retry_limit": 6,
    "execution_timeout": _EXECUTION_TIMEOUT,
    "retries": 3,
    "retry_delay": timedelta(seconds=conf.getint("renewables", "retry_delay", fallback=30)),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}

DAG_ARGS: dict[str, Any] = {
    "default_args": DEFAULT_ARGS,
    # A job that the Variable does not name is an error and not an empty job id.
    "template_undefined": StrictUndefined,
    "tags": ["renewables", "databricks"],
    "owner_links": {
        "renewables": conf.get("renewables", "owner_link", fallback="mailto:renewables@example.com")
    },
    "on_failure_callback": log_failure,
}

# Jitter: each process draws its own minimum wait. A tenacity strategy in databricks_retry_args cannot reach the
# triggerer; and in the default_args, which are part of the serialised DAG, each parse would make a new version of it.
_JITTER: dict[str, float] = {"databricks_retry_delay": random.uniform(1, 4)}

RUN: dict[str, Any] = {
    **_JITTER,
    "job_parameters": job_parameters,
    "idempotency_token": idempotency_token,
    "retry_policy": RetryUntilRunExists(),
}

REPAIR: dict[str, Any] = {
    **_JITTER,
    "trigger_rule": "all_failed",
    "run_id": "{{ ti.xcom_pull(task_ids='run', key='run_id') }}",
    "run_parameters": run_identity,
    "rerun_tasks": rerun_tasks,
    "max_repairs": 2,
    "repair_delay": timedelta(seconds=conf.getint("renewables", "repair_delay", fallback=30)),
    "repair_on": [
        FailureKind.USER_CODE,
        FailureKind.CLUSTER,
        FailureKind.TIMEOUT,
        FailureKind.QUOTA,
    ],
    "retry_policy": RetryUnlessRefused(),
}


def publish(asset: Asset, *, counted_by: str | None = None) -> Any:
    """Make the task that announces `asset` once the run or its repair has succeeded.

    The event carries the run's id and page, what caused it, and the JSON object that the job's task
    `counted_by` has printed as its last line.
    """

    @task(task_id="published", outlets=[asset], trigger_rule="one_success")
    def published(*, outlet_events: Any = None, **context: Any) -> None:
        pulled = {
            key: context["ti"].xcom_pull(task_ids=["repair", "run"], key=key)
            for key in ("run_id", "run_page_url")
        }
        run = {key: next(filter(None, values), None) for key, values in pulled.items()}
        counts = _counts(run["run_id"], counted_by) if counted_by else {}
        outlet_events[asset].extra = {**run, **_cause(context), **counts}

    return published()


def _counts(run_id: Any, task_key: str) -> dict[str, int]:
    """What a task of the job run has counted."""
    hook = RepairHook(
        DEFAULT_ARGS["databricks_conn_id"], retry_limit=DEFAULT_ARGS["databricks_retry_limit"]
    )
    output = hook.get_task_output(run_id, task_key).get("logs", "")
    try:
        counts: dict[str, int] = json.loads(output.strip().rpartition("\n")[2])
    except ValueError:
        logger.warning("The last line of task %s of run %s is no JSON object.", task_key, run_id)
        return {}
    return counts
