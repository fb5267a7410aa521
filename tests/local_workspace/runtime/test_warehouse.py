"""The SQL warehouse: scripts, parameters, results as text, errors, cancelling, its own end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from support.waiting import wait_until

from local_workspace.execution.warehouse import (
    Parameter,
    SqlError,
    StatementResult,
    Warehouse,
)

from .conftest import Runner

ENDLESS = "SELECT count(*) FROM range(0, 1000000000000, 1, 1) WHERE id % 7 = 3"


@dataclass
class Engine:
    remote: str


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mounts")


@pytest.fixture(scope="module")
def warehouse(runner: Runner, mounts: Path) -> Iterator[Warehouse]:
    warehouse = Warehouse(runner.processes, Engine(runner.remote), mounts, dict)
    yield warehouse
    runner.wait(warehouse.stop())


def rows(results: list[StatementResult]) -> list[list[str | None]]:
    return results[-1].rows


def warehouse_process() -> psutil.Process:
    """The one child of the fork server when no task runs."""
    (fork_server,) = (p for p in psutil.Process().children() if "fork_server" in str(p.cmdline()))
    # The process of a task that has ended is still there until it is reaped.
    wait_until(lambda: len(fork_server.children()) == 1, "the warehouse's process")
    return fork_server.children()[0]


def test_a_script_shares_one_session_and_gives_each_result(
    runner: Runner, warehouse: Warehouse
) -> None:
    script = """
        CREATE TABLE IDENTIFIER(:schema || '.t') (n INT, name STRING);
        INSERT INTO IDENTIFIER(:schema || '.t') VALUES (1, :name), (2, NULL); -- a comment
        SELECT n, name FROM IDENTIFIER(:schema || '.t') ORDER BY n;
    """
    results = runner.wait(warehouse.execute(script, {"schema": "default", "name": "it's"}))
    assert [result.rows for result in results] == [[], [["2", "2"]], [["1", "it's"], ["2", None]]]
    assert results[0].columns == []
    assert results[1].columns == [
        ("num_affected_rows", "BIGINT", "LONG"),
        ("num_inserted_rows", "BIGINT", "LONG"),
    ]
    assert results[2].columns == [("n", "INT", "INT"), ("name", "STRING", "STRING")]
    assert results[0].statement == "CREATE TABLE `default`.`t` (n INT, name STRING)"
    with pytest.raises(SqlError, match="TABLE_OR_VIEW_NOT_FOUND"):
        runner.wait(warehouse.execute("SELECT * FROM t", {}))


@pytest.mark.parametrize(
    ("expression", "text", "type_text", "type_name"),
    [
        ("1Y", "1", "TINYINT", "BYTE"),
        ("9223372036854775807", "9223372036854775807", "BIGINT", "LONG"),
        ("1.50BD", "1.50", "DECIMAL(3,2)", "DECIMAL"),
        ("0.1D", "0.1", "DOUBLE", "DOUBLE"),
        ("100D", "100.0", "DOUBLE", "DOUBLE"),
        ("1.5E-5D", "1.5E-5", "DOUBLE", "DOUBLE"),
        ("-12345678D", "-1.2345678E7", "DOUBLE", "DOUBLE"),
        ("1E20D", "1.0E20", "DOUBLE", "DOUBLE"),
        ("DOUBLE('NaN')", "NaN", "DOUBLE", "DOUBLE"),
        ("DOUBLE('-Infinity')", "-Infinity", "DOUBLE", "DOUBLE"),
        ("1.1F", "1.1", "FLOAT", "FLOAT"),
        ("true", "true", "BOOLEAN", "BOOLEAN"),
        ("DATE'2026-11-21'", "2026-11-21", "DATE", "DATE"),
        ("TIMESTAMP'2026-11-21 01:02:03.5'", "2026-11-21T01:02:03.500Z", "TIMESTAMP", "TIMESTAMP"),
        (
            "TIMESTAMP_NTZ'2026-11-21 01:02:03.000001'",
            "2026-11-21T01:02:03.000001",
            "TIMESTAMP_NTZ",
            "TIMESTAMP_NTZ",
        ),
        ("X'0102'", "AQI=", "BINARY", "BINARY"),
        ("NULL", None, "VOID", "NULL"),
        ("array(1, NULL)", "[1, null]", "ARRAY<INT>", "ARRAY"),
        ("map('a', DATE'2026-11-21')", '{"a": "2026-11-21"}', "MAP<STRING, DATE>", "MAP"),
        (
            "named_struct('x', 0.5D, 'y', array(true))",
            '{"x": 0.5, "y": [true]}',
            "STRUCT<x: DOUBLE, y: ARRAY<BOOLEAN>>",
            "STRUCT",
        ),
    ],
)
def test_every_value_is_text(
    runner: Runner,
    warehouse: Warehouse,
    expression: str,
    text: str | None,
    type_text: str,
    type_name: str,
) -> None:
    (result,) = runner.wait(warehouse.execute(f"SELECT {expression} AS v", {}))
    assert result.rows == [[text]]
    assert result.columns == [("v", type_text, type_name)]


def test_equal_column_names_stay_apart(runner: Runner, warehouse: Warehouse) -> None:
    assert rows(runner.wait(warehouse.execute("SELECT 1 AS a, 2 AS a", {}))) == [["1", "2"]]


def test_typed_parameters_are_cast(runner: Runner, warehouse: Warehouse) -> None:
    parameters = {
        "n": Parameter("2", "BIGINT"),
        "day": Parameter("2026-02-28", "DATE"),
        "none": Parameter(None, "INT"),
        "text": "O'Hara \\ 'x' -- ; \n é",
    }
    query = "SELECT date_add(:day, 1), :none, :text FROM range(9) LIMIT :n"
    expected = ["2026-03-01", None, parameters["text"]]
    assert rows(runner.wait(warehouse.execute(query, parameters))) == [expected] * 2


def test_catalog_and_schema_are_the_defaults(runner: Runner, warehouse: Warehouse) -> None:
    work = warehouse.execute("SELECT current_schema()", {}, None, "default")
    assert rows(runner.wait(work)) == [["default"]]
    with pytest.raises(SqlError, match="absent"):
        runner.wait(warehouse.execute("SELECT 1", {}, None, "absent"))


def test_paths_of_volumes_are_found(runner: Runner, warehouse: Warehouse, mounts: Path) -> None:
    folder = mounts / "Volumes" / "main" / "s" / "v"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_text("a\n1\n")
    query = "SELECT * FROM csv.`/Volumes/main/s/v/x.csv`"
    assert rows(runner.wait(warehouse.execute(query, {}))) == [["a"], ["1"]]
    with pytest.raises(SqlError, match=r"\[PATH_NOT_FOUND\] Path does not exist: .*/absent\."):
        runner.wait(warehouse.execute("SELECT * FROM csv.`/Volumes/main/s/v/absent`", {}))
    work = warehouse.execute("SELECT :path", {"path": "/Volumes/main/s/v"})
    assert rows(runner.wait(work)) == [[str(folder)]]


def test_a_row_limit_cuts_the_result(runner: Runner, warehouse: Warehouse) -> None:
    for limit, count, truncated in ((3, 3, True), (5, 5, False), (None, 5, False)):
        (result,) = runner.wait(warehouse.execute("SELECT * FROM range(5)", {}, row_limit=limit))
        assert (len(result.rows), result.truncated) == (count, truncated)


def test_a_result_that_is_too_large_fails(runner: Runner, warehouse: Warehouse) -> None:
    with pytest.raises(SqlError, match="Inline byte limit exceeded"):
        runner.wait(warehouse.execute("SELECT repeat('x', 1000000) FROM range(30)", {}))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "SELECT * FROM absent",
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `absent` cannot be found.",
        ),
        ("SELECT :p", "[UNBOUND_SQL_PARAMETER] Found the unbound parameter: p."),
        (
            "SELECT 1; SELECT raise_error('boom'); SELECT 2",
            "[USER_RAISED_EXCEPTION] boom SQLSTATE: P0001",
        ),
        (
            "SELEC 1",
            "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'. SQLSTATE: 42601 (line 1, pos 0)",
        ),
    ],
)
def test_an_error_is_said_as_on_databricks(
    runner: Runner, warehouse: Warehouse, script: str, message: str
) -> None:
    with pytest.raises(SqlError) as caught:
        runner.wait(warehouse.execute(script, {}))
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_scripts_run_at_once(runner: Runner, warehouse: Warehouse) -> None:
    async def ask() -> list[list[StatementResult]]:
        queries = (
            warehouse.execute(f"SELECT sum(id) + {n} FROM range(1000)", {}) for n in range(20)
        )
        return await asyncio.gather(*queries)

    answers = runner.wait(ask())
    assert [rows(answer) for answer in answers] == [[[str(499500 + n)]] for n in range(20)]


def test_cancelling_interrupts_the_statement(runner: Runner, warehouse: Warehouse) -> None:
    runner.wait(warehouse.execute("SELECT 1", {}))
    process = warehouse_process()
    before = process.num_threads()

    async def cancel_soon() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(warehouse.execute(f"{ENDLESS}; SELECT 1", {}), 0.2)

    runner.wait(cancel_soon())
    wait_until(lambda: process.num_threads() <= before, "the end of the statement's threads")
    assert rows(runner.wait(warehouse.execute("SELECT 1", {}))) == [["1"]]


def test_a_warehouse_that_dies_fails_its_statements_and_starts_again(
    runner: Runner, warehouse: Warehouse
) -> None:
    runner.wait(warehouse.start())
    # The engine goes on with what a killed client has asked for, so this one has an end.
    long = ENDLESS.replace("1000000000000", "10000000000")

    async def kill_soon() -> None:
        running = asyncio.create_task(warehouse.execute(long, {}))
        await asyncio.sleep(0)
        warehouse_process().kill()
        await running

    with pytest.raises(SqlError, match=r"The SQL warehouse ended \(signal SIGKILL\); run it again"):
        runner.wait(kill_soon())
    assert rows(runner.wait(warehouse.execute("SELECT 1", {}))) == [["1"]]


def test_stop_ends_the_process_and_the_next_script_starts_it(
    runner: Runner, warehouse: Warehouse
) -> None:
    runner.wait(warehouse.start())
    process = warehouse_process()
    runner.wait(warehouse.stop())
    assert not warehouse.is_running
    assert not process.is_running()
    assert rows(runner.wait(warehouse.execute("SELECT 1", {}))) == [["1"]]
    assert warehouse.is_running
