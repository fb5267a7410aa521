"""### The ingest DAG for many runs at once

For the benchmark of the triggerer.
"""

from __future__ import annotations

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG
from bundle_job import DAG_ARGS, REPAIR, REPAIR_PARAMS, RUN
from databricks_repair import DatabricksRepairRunOperator

with DAG(
    dag_id="crowd",
    schedule=None,
    catchup=False,
    max_active_runs=1000,
    max_active_tasks=1000,
    params=REPAIR_PARAMS,
    **DAG_ARGS,
):
    job_id = "{{ var.json.databricks_job_ids.ingest }}"
    run = DatabricksRunNowOperator(task_id="run", job_id=job_id, **RUN)
    repair = DatabricksRepairRunOperator(task_id="repair", job_id=job_id, **REPAIR)
    run >> repair
