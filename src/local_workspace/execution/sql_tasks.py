"""Runs sql_task: files and saved queries, on the SQL warehouse. https://docs.databricks.com/jobs/sql"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_workspace.errors import ResourceDoesNotExist
from local_workspace.execution.attempt import SUCCEEDED, WORKLOAD_FAILED, Attempt, Ending
from local_workspace.execution.warehouse import SqlError, StatementResult, Warehouse
from local_workspace.models.lifecycle import Outcome
from local_workspace.models.run import Termination
from local_workspace.sql import query_parameters
from local_workspace.sql.parameters import Parameter
from local_workspace.store.queries import QueryStore
from local_workspace.store.workspace_files import WorkspaceFiles

MAX_ROWS = 1000
"""Of a task's result that later tasks can refer to."""


@dataclass(frozen=True)
class _Script:
    """What is executed: statements, the values of their markers, and where names are looked up first."""

    text: str
    parameters: Mapping[str, Parameter]
    catalog: str | None = None
    schema: str | None = None


class SqlTasks:
    def __init__(self, files: WorkspaceFiles, queries: QueryStore, warehouse: Warehouse) -> None:
        self._files = files
        self._queries = queries
        self._warehouse = warehouse

    async def run(self, attempt: Attempt) -> Ending:
        """How the attempt ended; ApiError where its file or query does not exist."""
        task = attempt.settings["sql_task"]
        if not (task.get("file") or task.get("query")):
            return _not_supported(task)
        attempt.on_started()
        try:
            script = await asyncio.to_thread(self._script, task)
            results = await self._warehouse.execute(
                script.text, script.parameters, script.catalog, script.schema
            )
        except SqlError as error:
            return Ending(WORKLOAD_FAILED, {"error": str(error), "error_trace": str(error)})
        return Ending(SUCCEEDED, _output(task, script.text, results))

    def _script(self, task: Mapping[str, Any]) -> _Script:
        given = task.get("parameters") or {}
        if task.get("query"):
            return self._saved_query(task["query"]["query_id"], given)
        text = self._files.read_text(task["file"]["path"])
        return _Script(text, {name: Parameter(value) for name, value in given.items()})

    def _saved_query(self, query_id: str, given: Mapping[str, str]) -> _Script:
        query = self._queries.get(query_id)
        if query.is_trashed:
            raise ResourceDoesNotExist(f"Query {query_id} is in the trash.")
        settings = query.settings
        parameters = query_parameters.values(settings.get("parameters") or (), given)
        text = query_parameters.fill(settings["query_text"], parameters)
        return _Script(text, parameters, settings.get("catalog"), settings.get("schema"))


def _not_supported(task: Mapping[str, Any]) -> Ending:
    form = next((name for name in ("alert", "dashboard") if name in task), "anything else")
    message = (
        f"The local workspace runs sql_task with file or query, not with {form}; "
        "run this task on a Databricks workspace."
    )
    return Ending(Termination(Outcome.FAILED, "FEATURE_DISABLED", message), {"error": message})


def _output(task: Mapping[str, Any], text: str, results: list[StatementResult]) -> dict[str, Any]:
    """The last statement's rows, and what get-output tells."""
    columns = [name for name, *_ in results[-1].columns] if results else []
    rows = results[-1].rows[:MAX_ROWS] if results else []
    return {
        "rows": [dict(zip(columns, row, strict=True)) for row in rows],
        "sql": {
            "query_text": text,
            "warehouse_id": task.get("warehouse_id"),
            "statements": len(results),
        },
    }
