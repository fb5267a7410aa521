"""### One Databricks run for a group of tasks

For the scenario of the provider's workflow task group; `first` waits in a worker, `second` in the triggerer.
"""

from __future__ import annotations

from airflow.providers.databricks.operators.databricks import DatabricksNotebookOperator
from airflow.providers.databricks.operators.databricks_workflow import DatabricksWorkflowTaskGroup
from airflow.sdk import DAG

with (
    DAG(dag_id="workflow", schedule=None, catchup=False),
    DatabricksWorkflowTaskGroup(group_id="group", databricks_conn_id="databricks_default"),
):
    first, second = (
        DatabricksNotebookOperator(
            task_id=name,
            databricks_task_key=name,
            notebook_path="/Workspace/Shared/write_a_row",
            source="WORKSPACE",
            notebook_params={
                "task": name,
                "table": "main.scenarios.workflow",
                "gate": "/Volumes/main/scenarios/gates/workflow",
            },
            deferrable=name == "second",
            polling_period_seconds=1,
        )
        for name in ("first", "second")
    )
    first >> second
