"""### Lands the OWID CSVs and appends the new ones to bronze

Once a day, because OWID publishes irregularly and unchanged files cost next to nothing. All work is
done by the bundle's job `ingest`; this DAG starts it, repairs it where a task failed, and publishes
the bronze table, which starts `renewables_transform`. `repair` is skipped in green runs.
"""

from __future__ import annotations

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG, Asset, Param

from bundle_job import DAG_ARGS, REPAIR, REPAIR_PARAMS, RUN, publish
from databricks_repair import DatabricksRepairRunOperator

with DAG(
    dag_id="renewables_ingest",
    schedule="0 6 * * *",
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    params={
        "source_uri": Param(
            None, type=["null", "string"], description="Folder of CSVs; empty: the job's default"
        ),
        **REPAIR_PARAMS,
    },
    **DAG_ARGS,
):
    job_id = "{{ var.json.databricks_job_ids.ingest }}"
    run = DatabricksRunNowOperator(task_id="run", job_id=job_id, **RUN)
    repair = DatabricksRepairRunOperator(task_id="repair", job_id=job_id, **REPAIR)
    bronze = Asset("databricks://workspace/main/renewables/bronze_share_electricity")
    published = publish(bronze, counted_by="load")
    run >> repair >> published
    run >> published
