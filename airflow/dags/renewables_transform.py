"""### Computes which share of a country's electricity comes from hydro, solar and wind

Whenever `renewables_ingest` has published the bronze table. All work is done by the bundle's job
`transform`; this DAG starts it, repairs it where a task failed, and publishes the gold table.
`repair` is skipped in green runs. The Asset event shows which ingest caused the run.
"""

from __future__ import annotations

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG, Asset, Param

from bundle_job import DAG_ARGS, REPAIR, REPAIR_PARAMS, RUN, publish
from databricks_repair import DatabricksRepairRunOperator

with DAG(
    dag_id="renewables_transform",
    schedule=[Asset("databricks://workspace/main/renewables/bronze_share_electricity")],
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    params={
        "countries": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            description="Entities to report on; empty: the job's default",
        ),
        **REPAIR_PARAMS,
    },
    **DAG_ARGS,
):
    job_id = "{{ var.json.databricks_job_ids.transform }}"
    run = DatabricksRunNowOperator(task_id="run", job_id=job_id, **RUN)
    repair = DatabricksRepairRunOperator(task_id="repair", job_id=job_id, **REPAIR)
    published = publish(Asset("databricks://workspace/main/renewables/gold_shw_share"))
    run >> repair >> published
    run >> published
