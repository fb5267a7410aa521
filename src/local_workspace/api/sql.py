"""SQL warehouses, of which there is one, and the Statement Execution API 2.0.

https://docs.databricks.com/api/workspace/warehouses, https://docs.databricks.com/api/workspace/statementexecution
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import (
    FeatureDisabled,
    InvalidParameterValue,
    LocalWorkspaceError,
    ResourceDoesNotExist,
)
from local_workspace.settings import USER_NAME
from local_workspace.sql.errors import SqlError
from local_workspace.sql.parameters import Parameter
from local_workspace.sql.script import split
from local_workspace.store.statements import FAILED, SUCCEEDED, Statement

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

Answer = dict[str, Any]

WAREHOUSE_ID = "10ca110ca1000001"
WAREHOUSE_NAME = "Serverless Starter Warehouse"

_WAIT_TIMEOUT = re.compile(r"(0|[5-9]|[1-4]\d|50)s")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


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


@dataclass(frozen=True)
class Request:
    """What a call asks for; the wait is in seconds."""

    statement: str
    parameters: dict[str, Parameter]
    catalog: str | None
    schema: str | None
    row_limit: int | None
    byte_limit: int | None
    wait: int
    cancels_after_wait: bool

    @classmethod
    def parse(cls, params: Params) -> Request:
        _require_warehouse(params, "warehouse_id")
        _require_inline(params)
        return cls(
            statement=params.required_text("statement"),
            parameters=dict(map(_parameter, params.array("parameters"))),
            catalog=params.text("catalog"),
            schema=params.text("schema"),
            row_limit=_positive(params, "row_limit"),
            byte_limit=_positive(params, "byte_limit"),
            wait=_wait_seconds(params.text("wait_timeout", "10s")),
            cancels_after_wait=_choice(params, "on_wait_timeout", "CONTINUE", "CANCEL") == "CANCEL",
        )


async def execute_statement(workspace: Workspace, params: Params) -> Answer:
    request = Request.parse(params)
    statement_id = workspace.statements.create()
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
    return _chunk(workspace, statement, params.required_integer("chunk_index"))


def cancel_statement(workspace: Workspace, params: Params) -> Answer:
    """Asks for it; the statement's state tells when it is done."""
    statement = workspace.statements.get(params.required_text("statement_id"))
    workspace.warehouse.cancel(statement.statement_id)
    return {}


async def _run(workspace: Workspace, statement_id: str, request: Request) -> None:
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
        )
    except SqlError as error:
        store.fail(statement_id, error.message, error.sql_state)
    except LocalWorkspaceError as error:
        store.fail(statement_id, str(error), None)
    except asyncio.CancelledError:
        store.cancel(statement_id)
    else:
        rows = _within(results[0].rows, request.byte_limit)
        truncated = results[0].truncated or len(rows) < len(results[0].rows)
        store.succeed(statement_id, results[0].columns, rows, truncated)


def _answer(workspace: Workspace, statement: Statement) -> Answer:
    status: Answer = {"state": statement.state}
    answer: Answer = {"statement_id": statement.statement_id, "status": status}
    if statement.state == FAILED:
        status["error"] = {"error_code": "BAD_REQUEST", "message": statement.error_message}
        if statement.sql_state:
            status["sql_state"] = statement.sql_state
    if statement.state == SUCCEEDED:
        answer["manifest"] = _manifest(statement)
        answer["result"] = _chunk(workspace, statement, 0) if statement.chunks else {}
    return answer


def _manifest(statement: Statement) -> Answer:
    columns = [_column(position, *column) for position, column in enumerate(statement.columns)]
    return {
        "format": "JSON_ARRAY",
        "schema": {"column_count": len(columns), "columns": columns},
        "total_chunk_count": len(statement.chunks),
        "chunks": [dataclasses.asdict(chunk) for chunk in statement.chunks],
        "total_row_count": sum(chunk.row_count for chunk in statement.chunks),
        "total_byte_count": sum(chunk.byte_count for chunk in statement.chunks),
        "truncated": statement.truncated,
    }


def _column(position: int, name: str, type_text: str, type_name: str) -> Answer:
    column = {"name": name, "position": position, "type_name": type_name, "type_text": type_text}
    if decimal := _DECIMAL.fullmatch(type_text):
        column |= {"type_precision": int(decimal[1]), "type_scale": int(decimal[2])}
    return column


def _chunk(workspace: Workspace, statement: Statement, index: int) -> Answer:
    rows = workspace.statements.rows(statement.statement_id, index)
    answer: Answer = {**dataclasses.asdict(statement.chunks[index]), "data_array": rows}
    if index + 1 < len(statement.chunks):
        link = f"/api/2.0/sql/statements/{statement.statement_id}/result/chunks/{index + 1}"
        answer |= {"next_chunk_index": index + 1, "next_chunk_internal_link": link}
    return answer


def _require_one_statement(text: str) -> None:
    count = len(split(text))
    if count != 1:
        message = f"Syntax error: expected one statement, got {count}; send them one by one."
        raise SqlError(f"[PARSE_SYNTAX_ERROR] {message}", "42601")


def _require_inline(params: Params) -> None:
    disposition = _choice(params, "disposition", "INLINE", "EXTERNAL_LINKS")
    result_format = _choice(params, "format", "JSON_ARRAY", "ARROW_STREAM", "CSV")
    if (disposition, result_format) != ("INLINE", "JSON_ARRAY"):
        raise FeatureDisabled(
            f"The local workspace has no results with disposition {disposition} and format "
            f"{result_format}; use INLINE and JSON_ARRAY."
        )


def _choice(params: Params, name: str, default: str, *others: str) -> str:
    value = params.text(name, default)
    if value not in (default, *others):
        expected = ", ".join((default, *others))
        raise InvalidParameterValue(f"{name} must be one of {expected}, got {value!r}.")
    return value


def _positive(params: Params, name: str) -> int | None:
    value = params.integer(name)
    if value is not None and value <= 0:
        raise InvalidParameterValue(f"{name} must be greater than 0, got {value}.")
    return value


def _wait_seconds(text: str) -> int:
    if not _WAIT_TIMEOUT.fullmatch(text):
        raise InvalidParameterValue(
            f"wait_timeout must be '0s' or between '5s' and '50s', got {text!r}."
        )
    return int(text.removesuffix("s"))


def _parameter(item: Any) -> tuple[str, Parameter]:
    given = Params(item if isinstance(item, dict) else {})
    return given.required_text("name"), Parameter(given.text("value"), given.text("type", "STRING"))


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
    endpoint("POST", "/api/2.0/sql/statements", execute_statement),
    endpoint("GET", "/api/2.0/sql/statements/{statement_id}", get_statement),
    endpoint("POST", "/api/2.0/sql/statements/{statement_id}/cancel", cancel_statement),
    endpoint(
        "GET", "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", get_chunk
    ),
]
