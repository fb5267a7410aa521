"""The trigger of an operator with `cancel_on_kill=False`."""

from __future__ import annotations

from typing import Any

from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger


class KeepRunningTrigger(DatabricksExecutionTrigger):
    """A `DatabricksExecutionTrigger` that leaves the run alone when a person ends the Airflow task."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        _, arguments = super().serialize()
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def on_kill(self) -> None:
        self.log.info("Databricks run %s goes on: cancel_on_kill is off.", self.run_id)
