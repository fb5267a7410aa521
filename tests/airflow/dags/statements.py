"""### SQL statements that do not end by themselves, one after the other

For the scenario in which a person ends their tasks: the first waits in a worker, the second in the triggerer.
"""

from __future__ import annotations

from airflow.providers.databricks.operators.databricks import DatabricksSQLStatementsOperator
from airflow.sdk import DAG

with DAG(dag_id="statements", schedule=None, catchup=False):
    waiting, deferred = (
        DatabricksSQLStatementsOperator(
            task_id=name,
            statement="SELECT count(*) FROM range(0, 1000000000000, 1, 1) WHERE id % 7 = 3",
            warehouse_id="10ca110ca1000001",
            deferrable=name == "deferred",
            polling_period_seconds=1,
            trigger_rule="all_done",
        )
        for name in ("waiting", "deferred")
    )
    waiting >> deferred
