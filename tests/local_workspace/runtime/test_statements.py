"""The Statement Execution API and the warehouse, through the SDK."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    State,
    StatementParameterListItem,
    StatementResponse,
    StatementState,
)
from support.waiting import wait_until

from local_workspace.api import statement_request
from local_workspace.api.sql import WAREHOUSE_ID, WAREHOUSE_NAME
from local_workspace.store import statements
from local_workspace.store.statements import StatementStore

from .sql_serving import SqlWorkspace, execute, state_of
from .test_warehouse import ENDLESS


@pytest.fixture(scope="module")
def url(workspace: SqlWorkspace) -> str:
    return workspace.url


def failure_of(answer: StatementResponse) -> str:
    assert state_of(answer) is StatementState.FAILED
    assert answer.status is not None
    assert answer.status.error is not None
    assert answer.status.error.error_code is not None
    return f"{answer.status.error.error_code.value}: {answer.status.error.message}"


def post(url: str, **body: Any) -> Any:
    request = urllib.request.Request(
        f"{url}/api/2.0/sql/statements",
        json.dumps({"warehouse_id": WAREHOUSE_ID, **body}).encode(),
        {"Authorization": "Bearer dapi-test"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def test_a_result_has_the_documented_shape(url: str) -> None:
    answer = post(url, statement="SELECT 1.50BD AS price, NULL AS none", catalog=None, schema=None)
    statement_id = answer.pop("statement_id")
    assert len(statement_id) == 36
    decimal = {"type_name": "DECIMAL", "type_text": "DECIMAL(3,2)"}
    chunk = {"chunk_index": 0, "row_offset": 0, "row_count": 1, "byte_count": 15}
    assert answer == {
        "status": {"state": "SUCCEEDED"},
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": {
                "column_count": 2,
                "columns": [
                    {
                        "name": "price",
                        "position": 0,
                        **decimal,
                        "type_precision": 3,
                        "type_scale": 2,
                    },
                    {"name": "none", "position": 1, "type_name": "NULL", "type_text": "VOID"},
                ],
            },
            "total_chunk_count": 1,
            "chunks": [chunk],
            "total_row_count": 1,
            "total_byte_count": 15,
            "truncated": False,
        },
        "result": {**chunk, "data_array": [["1.50", None]]},
    }


def test_a_command_has_an_empty_result(url: str) -> None:
    answer = post(url, statement="CREATE TABLE default.commands (a INT)")
    assert answer["status"] == {"state": "SUCCEEDED"}
    assert answer["result"] == {}
    assert answer["manifest"]["total_chunk_count"] == 0
    assert answer["manifest"]["schema"] == {"column_count": 0, "columns": []}


def test_parameters(client: WorkspaceClient) -> None:
    parameters = [
        StatementParameterListItem(name="text", value="it's"),
        StatementParameterListItem(name="day", value="2026-11-21", type="DATE"),
        StatementParameterListItem(name="none"),
    ]
    answer = execute(client, "SELECT :text, year(:day), :none", parameters=parameters)
    assert answer.result is not None
    assert answer.result.data_array == [["it's", "2026", None]]


def test_a_long_result_comes_in_chunks(
    client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "ROWS_PER_CHUNK", 2)
    answer = execute(client, "SELECT id FROM range(5) ORDER BY id")
    assert answer.statement_id is not None
    assert answer.manifest is not None
    assert answer.manifest.total_chunk_count == 3
    result, rows = answer.result, []
    while result is not None:
        rows += result.data_array or []
        following = result.next_chunk_index
        if following is None:
            break
        chunk = client.statement_execution.get_statement_result_chunk_n
        result = chunk(answer.statement_id, following)
    assert rows == [[str(n)] for n in range(5)]
    with pytest.raises(NotFound, match="has no result chunk 3"):
        client.statement_execution.get_statement_result_chunk_n(answer.statement_id, 3)


def test_limits_cut_the_result(client: WorkspaceClient) -> None:
    for limits in ({"row_limit": 2}, {"byte_limit": 2}):
        answer = execute(client, "SELECT id FROM range(9)", **limits)
        assert answer.manifest is not None
        assert (answer.manifest.total_row_count, answer.manifest.truncated) == (2, True)


def test_without_a_wait_the_client_polls(client: WorkspaceClient) -> None:
    answer = execute(client, "SELECT 1", wait_timeout="0s")
    assert state_of(answer) is StatementState.PENDING
    assert (answer.manifest, answer.result) == (None, None)
    statement_id = answer.statement_id or ""
    get = client.statement_execution.get_statement
    wait_until(lambda: state_of(get(statement_id)) is StatementState.SUCCEEDED, "its success")
    result = get(statement_id).result
    assert result is not None
    assert result.data_array == [["1"]]


def test_cancelling(client: WorkspaceClient) -> None:
    statement_id = execute(client, ENDLESS, wait_timeout="0s").statement_id or ""
    get = client.statement_execution.get_statement
    wait_until(lambda: state_of(get(statement_id)) is StatementState.RUNNING, "its start")
    client.statement_execution.cancel_execution(statement_id)
    wait_until(lambda: state_of(get(statement_id)) is StatementState.CANCELED, "its cancellation")
    done = execute(client, "SELECT 1").statement_id or ""
    client.statement_execution.cancel_execution(done)
    status = get(done).status
    assert status is not None
    assert status.state is StatementState.SUCCEEDED


def test_a_wait_that_is_over_can_cancel(
    client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_request, "wait_seconds", lambda _: 0.1)
    cancel = ExecuteStatementRequestOnWaitTimeout.CANCEL
    answer = execute(client, ENDLESS, on_wait_timeout=cancel)
    assert state_of(answer) is StatementState.CANCELED


@pytest.mark.parametrize(
    ("statement", "failure"),
    [
        (
            "SELECT * FROM absent",
            "BAD_REQUEST: [TABLE_OR_VIEW_NOT_FOUND] The table or view `absent`",
        ),
        ("SELECT :p", "BAD_REQUEST: [UNBOUND_SQL_PARAMETER] Found the unbound parameter: p."),
        ("SELECT 1; SELECT 2", "BAD_REQUEST: [PARSE_SYNTAX_ERROR] Syntax error: expected one"),
        ("-- nothing", "BAD_REQUEST: [PARSE_SYNTAX_ERROR] Syntax error: expected one statement"),
    ],
)
def test_a_statement_that_fails_says_why(
    client: WorkspaceClient, statement: str, failure: str
) -> None:
    assert failure_of(execute(client, statement)).startswith(failure)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"format": Format.ARROW_STREAM},
            InvalidParameterValue,
            "must be JSON_ARRAY when the disposition field is INLINE, got ARROW_STREAM",
        ),
        (
            {"format": Format.CSV, "disposition": Disposition.INLINE},
            InvalidParameterValue,
            "must be JSON_ARRAY when the disposition field is INLINE, got CSV",
        ),
        ({"wait_timeout": "4s"}, InvalidParameterValue, "wait_timeout must be '0s' or between"),
        ({"wait_timeout": "51s"}, InvalidParameterValue, "wait_timeout must be '0s' or between"),
        ({"row_limit": -1}, InvalidParameterValue, "row_limit must be greater than 0, got -1."),
    ],
)
def test_requests_that_are_refused(
    client: WorkspaceClient, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        execute(client, "SELECT 1", **options)


def test_unknown_ids(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match="SQL warehouse absent does not exist"):
        client.statement_execution.execute_statement("SELECT 1", "absent")
    with pytest.raises(NotFound, match="SQL warehouse absent does not exist"):
        client.warehouses.get("absent")
    with pytest.raises(NotFound, match="The statement absent was not found"):
        client.statement_execution.get_statement("absent")
    with pytest.raises(NotFound, match="The statement absent was not found"):
        client.statement_execution.cancel_execution("absent")


def test_results_are_kept_for_an_hour_and_statements_for_a_day(
    client: WorkspaceClient, workspace: SqlWorkspace
) -> None:
    statement_id = execute(client, "SELECT 1").statement_id or ""
    for hours, state in ((1, StatementState.CLOSED), (23, None)):
        passed = hours * 3_600_000 + 1
        change = "UPDATE sql_statements SET ended_at = ended_at - ?, created_at = created_at - ?"
        workspace.db.execute(change, (passed, passed))
        if state is None:
            with pytest.raises(NotFound):
                client.statement_execution.get_statement(statement_id)
        else:
            status = client.statement_execution.get_statement(statement_id).status
            assert status is not None
            assert status.state is state


def test_what_ran_when_the_workspace_ended_has_failed(workspace: SqlWorkspace) -> None:
    statement_id = workspace.statements.create()
    workspace.statements.start(statement_id)
    statement = StatementStore(workspace.db, workspace.statements.files("")).get(statement_id)
    assert statement.state == "FAILED"
    assert statement.error_message == "The local workspace ended while the statement ran."


def test_the_warehouse_stops_and_starts(client: WorkspaceClient) -> None:
    client.warehouses.start(WAREHOUSE_ID)
    (warehouse,) = client.warehouses.list()
    assert (warehouse.id, warehouse.name) == (WAREHOUSE_ID, WAREHOUSE_NAME)
    assert warehouse.state is State.RUNNING
    client.warehouses.stop(WAREHOUSE_ID)
    assert client.warehouses.get(WAREHOUSE_ID).state is State.STOPPED
    assert state_of(execute(client, "SELECT 1")) is StatementState.SUCCEEDED
    assert client.warehouses.get(WAREHOUSE_ID).state is State.RUNNING
