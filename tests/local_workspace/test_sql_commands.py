"""Statements that the local workspace executes itself, rewrites or refuses: how they are read."""

from __future__ import annotations

from typing import get_args

import pytest

from local_workspace.runtime.commands import execute
from local_workspace.sql import commands as c
from local_workspace.sql.command_parser import parse
from local_workspace.sql.copy_into import CopyInto, Select
from local_workspace.sql.engine_errors import translate
from local_workspace.sql.errors import SqlError
from local_workspace.sql.refusals import REFUSED, refuse
from local_workspace.sql.rewrites import for_engine


@pytest.mark.parametrize(
    ("statement", "command"),
    [
        ("DESCRIBE HISTORY a.b.`c d` LIMIT 4", c.DescribeHistory(("a", "b", "c d"), 4)),
        ("desc history t", c.DescribeHistory(("t",), None)),
        ("DESCRIBE DETAIL `t``x`", c.DescribeDetail(("t`x",))),
        ("SHOW VOLUMES", c.ShowVolumes(None, None)),
        ("SHOW VOLUMES IN m.s LIKE 'a*'", c.ShowVolumes(("m", "s"), "a*")),
        ("SHOW VOLUMES FROM s 'a|b'", c.ShowVolumes(("s",), "a|b")),
        ("SHOW DATABASES IN m LIKE 'd*'", c.ShowSchemas(("m",), "d*")),
        ("LIST '/Volumes/m/s/v' LIMIT 3", c.ListFiles("/Volumes/m/s/v", 3)),
        ("SHOW CATALOGS", c.ShowCatalogs(None)),
        ("SHOW CATALOGS LIKE 'm*'", c.ShowCatalogs("m*")),
        ("CREATE CATALOG IF NOT EXISTS m COMMENT 'x'", c.CreateCatalog(("m",), True, "x")),
        ("DROP CATALOG IF EXISTS m CASCADE", c.DropCatalog(("m",), True, True)),
        ("DROP CATALOG m RESTRICT", c.DropCatalog(("m",), False, False)),
        (
            "CREATE VOLUME IF NOT EXISTS m.s.v COMMENT 'it\\'s; one'",
            c.CreateVolume(("m", "s", "v"), True, "it's; one"),
        ),
        ("DROP VOLUME IF EXISTS v", c.DropVolume(("v",), True)),
        (
            "CREATE SCHEMA m.s COMMENT 'x' WITH DBPROPERTIES ('a' = 'b', c.d = 'e')",
            c.CreateSchema(("m", "s"), False, "x", {"a": "b", "c.d": "e"}),
        ),
        ("CREATE DATABASE IF NOT EXISTS s", c.CreateSchema(("s",), True, None, {})),
        ("DROP SCHEMA IF EXISTS s CASCADE", c.DropSchema(("s",), True, True)),
        ("DROP DATABASE s RESTRICT", c.DropSchema(("s",), False, False)),
        ("USE CATALOG 'm'", c.Use("CATALOG", ("m",))),
        ("USE m.s", c.Use("SCHEMA", ("m", "s"))),
        ("use database s -- why", c.Use("SCHEMA", ("s",))),
        ("CREATE TABLE t COMMENT 'x' USING DELTA", c.CreateEmptyTable(("t",), False, "x")),
        ("CREATE TABLE IF NOT EXISTS t", c.CreateEmptyTable(("t",), True, None)),
    ],
)
def test_commands(statement: str, command: c.Command) -> None:
    assert parse(statement) == command


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'COPY INTO t'",
        "DESCRIBE history",
        "DESCRIBE TABLE t",
        "SHOW TABLES",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t USING PARQUET AS SELECT 1 AS a",
        "CREATE TABLE t CLUSTER BY (a) AS SELECT 1 AS a",
        "CREATE TABLE t TBLPROPERTIES ('delta.x' = 'y') AS SELECT 1 AS a",
        "DROP TABLE t",
    ],
)
def test_statements_of_the_engine(statement: str) -> None:
    assert parse(statement) is None
    refuse(statement)


def test_copy_into_with_every_clause() -> None:
    statement = """
        COPY INTO m.s.t -- a comment; with a semicolon
        FROM (SELECT id::INT, extract(YEAR FROM d) * 2 y, _metadata.file_path FROM '/Volumes/m/s/v')
        FILEFORMAT = csv VALIDATE 15 ROWS PATTERN = '*.csv'
        FORMAT_OPTIONS ('header' = 'true', 'Sep' = ';', 'mergeSchema' = true)
        COPY_OPTIONS ('force' = 'true', 'mergeSchema' = 'TRUE')
    """
    assert parse(statement) == CopyInto(
        table=("m", "s", "t"),
        source="/Volumes/m/s/v",
        file_format="CSV",
        select=Select("id::INT, extract(YEAR FROM d) * 2 y, _metadata.file_path", False, True),
        validate=15,
        pattern="*.csv",
        reader_options={"header": "true", "delimiter": ";"},
        options={"header": "true", "sep": ";", "mergeschema": "true"},
        force=True,
        merge_schema=True,
    )


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("FROM 'x' FILEFORMAT = JSON VALIDATE", {"validate": "ALL"}),
        ("FROM 'x' FILEFORMAT = JSON VALIDATE ALL", {"validate": "ALL"}),
        ("FROM 'x' FILEFORMAT = JSON FILES = ('a', 'b')", {"files": ["a", "b"]}),
        ("BY POSITION FROM 'x' FILEFORMAT = CSV", {"by_position": True, "columns": None}),
        ("(a, `b c`) FROM 'x' FILEFORMAT = CSV", {"by_position": True, "columns": ("a", "b c")}),
        (
            "FROM (SELECT 2 * 3, * FROM 'x') FILEFORMAT = CSV",
            {"select": Select("2 * 3, *", True, False)},
        ),
        (
            "FROM (SELECT 2 * 3 FROM 'x') FILEFORMAT = CSV",
            {"select": Select("2 * 3", False, False)},
        ),
    ],
)
def test_clauses_of_copy_into(clauses: str, expected: dict[str, object]) -> None:
    copy = parse(f"COPY INTO t {clauses}")
    assert {name: getattr(copy, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("statement", "message", "sql_state"),
    [
        ("COPY INTO t", "[PARSE_SYNTAX_ERROR] Syntax error at or near end of input.", "42601"),
        ("COPY INTO t FROM x", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'x'.", "42601"),
        ("COPY INTO t FROM (SELECT FROM 'x') FILEFORMAT = CSV", "[PARSE_SYNTAX_ERROR]", "42601"),
        ("COPY INTO t FROM (SELECT a FROM 'x' WHERE b) FILEFORMAT = CSV", "[PARSE_SYNTAX", "42601"),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = CSV\nMORE",
            "at or near 'MORE'. SQLSTATE: 42601 (line 2, pos 0)",
            "42601",
        ),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = DELTA",
            "[COPY_INTO_SOURCE_FILE_FORMAT_NOT_SUPPORTED]",
            "0A000",
        ),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = AVRO",
            "does not support COPY INTO from AVRO files",
            "0A000",
        ),
        ("COPY INTO t FROM 'x' WITH (CREDENTIAL c) FILEFORMAT = CSV", "with a credential", "0A000"),
        ("COPY INTO t FROM 'x' FILEFORMAT = CSV VALIDATE 0 ROWS", "VALIDATE_INVALID_ROWS", "42601"),
        ("COPY INTO t FROM 'x' FILEFORMAT = CSV FILES = ('a') PATTERN = 'b'", "exclude", "42601"),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = CSV FORMAT_OPTIONS ('rescuedDataColumn' = 'r')",
            "the CSV option 'rescueddatacolumn'",
            "0A000",
        ),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = CSV FORMAT_OPTIONS ('mode' = 'PERMISSIVE')",
            "use 'FAILFAST'",
            "0A000",
        ),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = CSV COPY_OPTIONS ('purge' = 'true')",
            "option 'purge'",
            "0A000",
        ),
        (
            "COPY INTO t FROM 'x' FILEFORMAT = CSV COPY_OPTIONS ('force' = 'yes')",
            "'true' or 'false'",
            "42601",
        ),
        ("COPY INTO t BY POSITION FROM 'x' FILEFORMAT = JSON", "by position", "0A000"),
        ("CREATE EXTERNAL VOLUME v LOCATION 's3://b'", "external volumes", "0A000"),
        ("CREATE VOLUME v LOCATION 's3://b'", "external volumes", "0A000"),
        ("CREATE SCHEMA s MANAGED LOCATION 's3://b'", "MANAGED LOCATION", "0A000"),
        ("CREATE TABLE t TBLPROPERTIES ('a' = 'b')", "without columns", "0A000"),
        ("DESCRIBE HISTORY '/x'", "name a table of Unity Catalog", "0A000"),
        ("DESCRIBE DETAIL t u", "at or near 'u'", "42601"),
        ("LIST '/x' WITH (CREDENTIAL c)", "with a credential", "0A000"),
        ("USE a.b.c", "at or near '.'", "42601"),
    ],
)
def test_what_is_no_command(statement: str, message: str, sql_state: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse(statement)
    assert message in caught.value.message
    assert caught.value.sql_state == sql_state


@pytest.mark.parametrize("words", REFUSED)
def test_what_nobody_has_is_refused_by_name(words: str) -> None:
    with pytest.raises(SqlError, match=rf"does not support {words};.*SQLSTATE: 0A000"):
        refuse(f"{words.lower()} t")


@pytest.mark.parametrize(
    ("statement", "rewritten"),
    [
        ("DESCRIBE m.s.t", "DESCRIBE TABLE m.s.t"),
        ("desc formatted `t`", "DESCRIBE TABLE EXTENDED `t`"),
        ("DESCRIBE schema", "DESCRIBE TABLE schema"),
        ("DESCRIBE SCHEMA s", "DESCRIBE SCHEMA s"),
        ("DESC EXTENDED t", "DESC EXTENDED t"),
        ("TRUNCATE TABLE m.t", "DELETE FROM m.t"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_statements_that_the_engine_has_in_another_form(statement: str, rewritten: str) -> None:
    assert for_engine(statement) == rewritten


@pytest.mark.parametrize(
    ("said", "message", "sql_state"),
    [
        (
            "invalid argument: found end of input expected expression",
            "[PARSE_SYNTAX_ERROR] Syntax error at or near end of input.",
            "42601",
        ),
        (
            'attribute ObjectName([Identifier("a"), Identifier("b")]) is missing from the schema',
            "[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] A column, variable, or function parameter with",
            "42703",
        ),
        ("unknown function: nofun", "[UNRESOLVED_ROUTINE] Cannot resolve routine `nofun`", "42883"),
        (
            "Table already exists: s.t",
            "[TABLE_OR_VIEW_ALREADY_EXISTS] Cannot create table or view `s`.`t`",
            "42P07",
        ),
        (
            "Failed to drop table: HTTP status client error (404 Not Found) for url (http://h/tables/m%2Es%2Et)",
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `m`.`s`.`t`",
            "42P01",
        ),
        ("Catalog not found: x", "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'x' not found.", "42704"),
        ("divide by zero", "[DIVIDE_BY_ZERO] Division by zero.", "22012"),
        (
            "Cannot cast string 'a' to value of Int32 type",
            '[CAST_INVALID_INPUT] The value \'a\' of the type "STRING" cannot be cast to "INT"',
            "22018",
        ),
        (
            "Can't cast value 300 to type Int8",
            '[CAST_OVERFLOW] The value 300 cannot be cast to "TINYINT"',
            "22003",
        ),
        (
            "input schema for INSERT has 1 fields, but table schema has 2 fields",
            "[INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS]",
            "21S01",
        ),
        ("CommandNode::CommentOnTable", "[UNSUPPORTED_FEATURE]", "0A000"),
        (
            "x: [DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL\nmore",
            "[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL SQLSTATE: 23502",
            "23502",
        ),
        ("error: [SOME_CLASS] text", "[SOME_CLASS] text", None),
        (
            "The table or view `m`.`t` cannot be found",
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `m`",
            "42P01",
        ),
        (
            "Failed to create table: HTTP 400 Bad Request: request",
            "[UNSUPPORTED_FEATURE] The local",
            "0A000",
        ),
        (
            "INSERT is missing value for non-generated column `b`",
            "[UNSUPPORTED_FEATURE] The",
            "0A000",
        ),
        ("something else\nmore", "something else", None),
    ],
)
def test_errors_of_the_engine(said: str, message: str, sql_state: str | None) -> None:
    failure = translate(said, "SELECT 1")
    assert failure.message.startswith(message)
    assert failure.sql_state == sql_state


def test_what_a_statement_raises_itself() -> None:
    failure = translate("boom", "SELECT raise_error ('boom')")
    assert failure.message == "[USER_RAISED_EXCEPTION] boom SQLSTATE: P0001"


def test_every_command_is_executed() -> None:
    assert {*get_args(c.Command)} == execute.QUERIES.keys() | execute.CHANGES.keys()
