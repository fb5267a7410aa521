"""SQL warehouses, of which there is one, and the Statement Execution API 2.0.

https://docs.databricks.com/api/workspace/warehouses, https://docs.databricks.com/api/workspace/statementexecution
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from local_workspace.api import statement_results
from local_workspace.api.endpoint import MAX_JSON_BODY, Params, endpoint, raw_endpoint
from local_workspace.api.statement_request import MAX_STATEMENT_BYTES, StatementRequest
from local_workspace.errors import LocalWorkspaceError, ResourceDoesNotExist
from local_workspace.execution.warehouse import ResultFiles, StatementResult
from local_workspace.settings import USER_NAME
from local_workspace.sql.errors import SqlError
from local_workspace.sql.script import split
from local_workspace.store.statements import EXTERNAL_LINKS, FAILED, SUCCEEDED, Statement

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

Answer = dict[str, Any]

WAREHOUSE_ID = "10ca110ca1000001"
WAREHOUSE_NAME = "Serverless Starter Warehouse"

MAX_STATEMENT_BODY = 2 * MAX_STATEMENT_BYTES
"""Room for the escapes of the largest statement and for its parameters."""


# Warehouses


def list_warehouses(workspace: Workspace, _: Params) -> Answer:
    return {"warehouses": [_warehouse(workspace)]}


def get_warehouse(workspace: Workspace, params: Params) -> Answer:
    _require_warehouse(params, "id")
    return _warehouse(workspace)


async def start_warehouse(workspace: Workspace, params: Params) -> Answer:
    _require_warehouse(params, "id")
    await workspace.warehouse.start()
    return {}


async def stop_warehouse(workspace: Workspace, params: Params) -> Answer:
    """It starts again with the next statement, as on Databricks."""
    _require_warehouse(params, "id")
    await workspace.warehouse.stop()
    return {}


def _warehouse(workspace: Workspace) -> Answer:
    is_running = workspace.warehouse.is_running
    return {
        "id": WAREHOUSE_ID,
        "name": WAREHOUSE_NAME,
        "state": "RUNNING" if is_running else "STOPPED",
        "num_clusters": int(is_running),
        "cluster_size": "2X-Small",
        "warehouse_type": "PRO",
        "enable_serverless_compute": True,
        "creator_name": USER_NAME,
    }


def _require_warehouse(params: Params, name: str) -> None:
    warehouse_id = params.required_text(name)
    if warehouse_id != WAREHOUSE_ID:
        raise ResourceDoesNotExist(
            f"SQL warehouse {warehouse_id} does not exist; "
            f"the local workspace has {WAREHOUSE_ID} ({WAREHOUSE_NAME})."
        )


# Statements


async def execute_statement(workspace: Workspace, params: Params) -> Answer:
    _require_warehouse(params, "warehouse_id")
    request = StatementRequest.parse(params)
    statement_id = workspace.statements.create(request.format, request.disposition)
    task = workspace.warehouse.submit(statement_id, _run(workspace, statement_id, request))
    if request.wait:
        await asyncio.wait([task], timeout=request.wait)
        if not task.done() and request.cancels_after_wait:
            task.cancel()
            await asyncio.wait([task])
    return _answer(workspace, workspace.statements.get(statement_id))


def get_statement(workspace: Workspace, params: Params) -> Answer:
    return _answer(workspace, workspace.statements.get(params.required_text("statement_id")))


def get_chunk(workspace: Workspace, params: Params) -> Answer:
    statement = workspace.statements.get(params.required_text("statement_id"))
    return statement_results.result(workspace, statement, params.required_integer("chunk_index"))


def cancel_statement(workspace: Workspace, params: Params) -> Answer:
    """Asks for it; the statement's state tells when it is done."""
    statement = workspace.statements.get(params.required_text("statement_id"))
    workspace.warehouse.cancel(statement.statement_id)
    return {}


async def _run(workspace: Workspace, statement_id: str, request: StatementRequest) -> None:
    store = workspace.statements
    try:
        store.start(statement_id)
        _require_one_statement(request.statement)
        results = await workspace.warehouse.execute(
            request.statement,
            request.parameters,
            request.catalog,
            request.schema,
            request.row_limit,
            _files(workspace, statement_id, request),
        )
    except SqlError as error:
        store.fail(statement_id, error.message, error.sql_state)
    except LocalWorkspaceError as error:
        store.fail(statement_id, str(error), None)
    except asyncio.CancelledError:
        store.cancel(statement_id)
    else:
        _succeed(workspace, statement_id, request, results[0])


def _files(
    workspace: Workspace, statement_id: str, request: StatementRequest
) -> ResultFiles | None:
    if request.disposition != EXTERNAL_LINKS:
        return None
    folder = workspace.statements.files(statement_id)
    return ResultFiles(folder, request.format, request.byte_limit)


def _succeed(
    workspace: Workspace, statement_id: str, request: StatementRequest, result: StatementResult
) -> None:
    store, columns = workspace.statements, result.columns
    if request.disposition == EXTERNAL_LINKS:
        store.succeed_with_files(statement_id, columns, result.chunks, result.truncated)
        return
    rows = _within(result.rows, request.byte_limit)
    truncated = result.truncated or len(rows) < len(result.rows)
    store.succeed(statement_id, columns, rows, truncated)


def _answer(workspace: Workspace, statement: Statement) -> Answer:
    status: Answer = {"state": statement.state}
    answer: Answer = {"statement_id": statement.statement_id, "status": status}
    if statement.state == FAILED:
        status["error"] = {"error_code": "BAD_REQUEST", "message": statement.error_message}
        if statement.sql_state:
            status["sql_state"] = statement.sql_state
    if statement.state == SUCCEEDED:
        answer["manifest"] = statement_results.manifest(statement)
        chunked = bool(statement.chunks)
        answer["result"] = statement_results.result(workspace, statement, 0) if chunked else {}
    return answer


def _require_one_statement(text: str) -> None:
    count = len(split(text))
    if count != 1:
        message = f"Syntax error: expected one statement, got {count}; send them one by one."
        raise SqlError(f"[PARSE_SYNTAX_ERROR] {message}", "42601")


def _within(rows: list[list[str | None]], byte_limit: int | None) -> list[list[str | None]]:
    """The first rows whose text has together at most `byte_limit` bytes."""
    if byte_limit is None:
        return rows
    size = 0
    for index, row in enumerate(rows):
        size += sum(len((value or "").encode()) for value in row)
        if size > byte_limit:
            return rows[:index]
    return rows


routes = [
    endpoint("GET", "/api/2.0/sql/warehouses", list_warehouses),
    endpoint("GET", "/api/2.0/sql/warehouses/{id}", get_warehouse),
    endpoint("POST", "/api/2.0/sql/warehouses/{id}/start", start_warehouse),
    endpoint("POST", "/api/2.0/sql/warehouses/{id}/stop", stop_warehouse),
    endpoint("POST", "/api/2.0/sql/statements", execute_statement, MAX_STATEMENT_BODY),
    endpoint("GET", "/api/2.0/sql/statements/{statement_id}", get_statement),
    endpoint("POST", "/api/2.0/sql/statements/{statement_id}/cancel", cancel_statement),
    endpoint(
        "GET", "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", get_chunk
    ),
    raw_endpoint(
        "GET",
        f"{statement_results.LINKS}/{{statement_id}}/{{chunk_index}}",
        statement_results.download,
        MAX_JSON_BODY,
    ),
]
