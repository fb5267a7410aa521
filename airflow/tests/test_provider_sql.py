"""The provider's operators for SQL warehouses, each deferrable and not, against a real local workspace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.providers.databricks.operators.databricks import DatabricksSQLStatementsOperator
from airflow.providers.databricks.operators.warehouse import (
    DatabricksStartWarehouseOperator,
    DatabricksStopWarehouseOperator,
)
from airflow.providers.databricks.sensors.databricks import DatabricksSQLStatementsSensor
from airflow.providers.databricks.sensors.databricks_partition import DatabricksPartitionSensor
from airflow.providers.databricks.sensors.databricks_sql import DatabricksSqlSensor

from dag_runner import WITHOUT_MODES, DagRunner, Result
from workspace import WAREHOUSE_ID, Workspace

ENDLESS = "SELECT count(*) FROM range(0, 1000000000000, 1, 1) WHERE id % 7 = 3"
NO_RETRIES = {
    "_retry_stop_after_attempts_count": 1,
    "_retry_delay_min": 0.01,
    "_retry_delay_max": 0.01,
}


def statement(airflow: DagRunner, text: str, **arguments: Any) -> Result:
    return airflow.run_task(
        DatabricksSQLStatementsOperator, statement=text, warehouse_id=WAREHOUSE_ID, **arguments
    )


def state(workspace: Workspace, result: Result) -> str:
    path = f"2.0/sql/statements/{result.xcom('statement_id')}"
    return str(workspace.call("GET", path)["status"]["state"])


def test_a_statement_with_parameters(workspace: Workspace, airflow: DagRunner) -> None:
    table = f"stated_{airflow.is_deferrable}"
    workspace.rows(f"CREATE TABLE main.provider.{table} (n INT)")
    result = statement(
        airflow,
        f"INSERT INTO {table} SELECT :number * 2",
        catalog="main",
        schema="provider",
        parameters=[{"name": "number", "value": "21", "type": "INT"}],
        query_tags={"team": "energy"},
    )
    assert result.errors == {}
    assert state(workspace, result) == "SUCCEEDED"
    assert workspace.rows(f"SELECT n FROM main.provider.{table}") == [["42"]]


def test_a_statement_that_fails(airflow: DagRunner) -> None:
    result = statement(airflow, "SELECT * FROM main.provider.absent")
    assert "TABLE_OR_VIEW_NOT_FOUND" in result.errors["task"]


def test_a_statement_that_takes_too_long(workspace: Workspace, airflow: DagRunner) -> None:
    result = statement(airflow, ENDLESS, timeout=2)
    assert "timed out after" in result.errors["task"]
    assert state(workspace, result) == "CANCELED"
    assert len(result.triggers) == airflow.is_deferrable


@pytest.mark.parametrize("airflow", [True], indirect=True, ids=["deferred"])
def test_a_statement_whose_task_is_killed(workspace: Workspace, airflow: DagRunner) -> None:
    airflow.on_deferred.append(lambda trigger: asyncio.run(trigger.on_kill()))
    result = statement(airflow, ENDLESS)
    assert "CANCELED" in result.errors["task"]
    assert state(workspace, result) == "CANCELED"


def test_a_sensor_of_a_new_statement(airflow: DagRunner) -> None:
    """Not deferred, the provider's sensor submits the statement and does not wait for it."""
    result = sensor(airflow, statement="SELECT * FROM main.provider.absent")
    assert ("TABLE_OR_VIEW_NOT_FOUND" in result.errors.get("task", "")) is airflow.is_deferrable


def test_a_sensor_of_a_statement_that_runs(workspace: Workspace, airflow: DagRunner) -> None:
    body = {"statement": "SELECT 1", "warehouse_id": WAREHOUSE_ID, "wait_timeout": "0s"}
    submitted = workspace.call("POST", "2.0/sql/statements", body)
    result = sensor(airflow, statement_id=submitted["statement_id"])
    assert result.errors == {}
    assert result.xcom("statement_id") == submitted["statement_id"]


def sensor(airflow: DagRunner, **arguments: Any) -> Result:
    return airflow.run_task(DatabricksSQLStatementsSensor, warehouse_id=WAREHOUSE_ID, **arguments)


@WITHOUT_MODES
@pytest.mark.parametrize(
    ("sensor_class", "arguments"),
    [
        (DatabricksSqlSensor, {"sql": "SELECT 1"}),
        (DatabricksPartitionSensor, {"table_name": "t", "partitions": {"year": 2023}}),
    ],
)
def test_what_needs_a_sql_connection_finds_none(
    airflow: DagRunner, sensor_class: Any, arguments: dict[str, Any]
) -> None:
    """The SQL connector speaks Thrift over TLS, which the local workspace does not."""
    with airflow.new_dag() as dag:
        sensor_class(
            task_id="task",
            http_path=f"/sql/1.0/warehouses/{WAREHOUSE_ID}",
            client_parameters=NO_RETRIES,
            **arguments,
        )
    assert "Connection refused" in airflow.run(dag).errors["task"]


@pytest.mark.parametrize(
    ("operator", "reached"),
    [(DatabricksStopWarehouseOperator, "STOPPED"), (DatabricksStartWarehouseOperator, "RUNNING")],
)
def test_warehouse(workspace: Workspace, airflow: DagRunner, operator: Any, reached: str) -> None:
    result = airflow.run_task(operator, warehouse_id=WAREHOUSE_ID)
    assert result.errors == {}
    assert workspace.call("GET", f"2.0/sql/warehouses/{WAREHOUSE_ID}")["state"] == reached
