"""### The ingest DAG with a repair step that waits for three seconds only

For the scenario in which Airflow's time is up before the job's.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG
from bundle_job import DAG_ARGS, REPAIR, REPAIR_PARAMS, RUN
from databricks_repair import DatabricksRepairRunOperator

with DAG(dag_id="impatient", schedule=None, catchup=False, params=REPAIR_PARAMS, **DAG_ARGS):
    job_id = "{{ var.json.databricks_job_ids.ingest }}"
    run = DatabricksRunNowOperator(task_id="run", job_id=job_id, **RUN)
    repair = DatabricksRepairRunOperator(
        task_id="repair", job_id=job_id, execution_timeout=timedelta(seconds=3), **REPAIR
    )
    run >> repair
