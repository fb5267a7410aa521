"""Repair of failed Databricks job runs as an Airflow task of its own.

https://docs.databricks.com/api/workspace/jobs/repairrun
"""

from __future__ import annotations

from databricks_repair.hook import RepairHook
from databricks_repair.operator import DatabricksRepairRunOperator
from databricks_repair.retry import RetryUnlessRefused, RetryUntilRunExists
from databricks_repair.run import FailureKind

__all__ = [
    "DatabricksRepairRunOperator",
    "FailureKind",
    "RepairHook",
    "RetryUnlessRefused",
    "RetryUntilRunExists",
]
