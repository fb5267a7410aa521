"""One SQL statement through the Statement Execution API, and its rows as a person reads them."""

from __future__ import annotations

import time
from typing import Any

from databricks.sdk import WorkspaceClient

from local_workspace.errors import LocalWorkspaceError

STATEMENTS = "/api/2.0/sql/statements"
Rows = list[list[str | None]]
_UNDER_WAY = ("PENDING", "RUNNING")


def rows_of(
    client: WorkspaceClient, statement: str, catalog: str | None = None
) -> tuple[list[str], Rows]:
    """Column names and all rows; every value is text or None. LocalWorkspaceError with the statement's error.

    Raw JSON, since the SDK's types take NULL for a text.
    """
    api = client.api_client
    warehouse = next(iter(client.warehouses.list()))
    body = {"statement": statement, "warehouse_id": warehouse.id, "wait_timeout": "50s"}
    if catalog:
        body["catalog"] = catalog
    answer: Any = api.do("POST", STATEMENTS, body=body)
    path = f"{STATEMENTS}/{answer['statement_id']}"
    while answer["status"]["state"] in _UNDER_WAY:
        time.sleep(0.1)
        answer = api.do("GET", path)
    if answer["status"]["state"] != "SUCCEEDED":
        error = answer["status"].get("error", {})
        raise LocalWorkspaceError(
            error.get("message") or f"The statement ended {answer['status']['state']}."
        )
    columns = [column["name"] for column in answer["manifest"]["schema"].get("columns", ())]
    result = answer.get("result") or {}
    rows: Rows = result.get("data_array") or []
    while (chunk := result.get("next_chunk_index")) is not None:
        result = api.do("GET", f"{path}/result/chunks/{chunk}")
        rows += result["data_array"]
    return columns, rows


def table(columns: list[str], rows: Rows) -> str:
    """The rows under their column names; NULL stands for None."""
    cells = [columns, *[["NULL" if value is None else value for value in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    lines = [
        "  ".join(f"{value:<{w}}" for value, w in zip(row, widths, strict=True)) for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
