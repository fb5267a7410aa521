"""SQL text: statements of a script, parameters and names in a statement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_workspace.sql.errors import SqlError
from local_workspace.sql.identifiers import quote, quote_dotted
from local_workspace.sql.parameters import Parameter, bind
from local_workspace.sql.script import inserts_rows, returns_rows, split, tokenize

PARAMETERS = {
    "catalog": Parameter("main"),
    "schema": Parameter("my-schema"),
    "text": Parameter("it's a \\ path"),
    "none": Parameter(None),
    "day": Parameter("2026-11-21", "DATE"),
    "price": Parameter("1.5", "DECIMAL(10, 2)"),
    "nothing": Parameter(None, "INT"),
}


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" ; ;-- only a comment\n;", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\n SELECT 2 ;", ["SELECT 1", "SELECT 2"]),
        (
            "-- a; b\nSELECT ';', `;`, r'\\', \";\" -- c;\n; x",
            ["SELECT ';', `;`, r'\\', \";\"", "x"],
        ),
        ("SELECT /*+ HINT */ 1 /* ; */ + 2", ["SELECT /*+ HINT */ 1 /* ; */ + 2"]),
        ("SHOW TABLES IN a; OPTIMIZE t", ["SHOW TABLES IN a", "OPTIMIZE t"]),
        ("SELECT 'Zürich;é' ; SELECT 'it\\'s; one'", ["SELECT 'Zürich;é'", "SELECT 'it\\'s; one'"]),
    ],
)
def test_statements_of_a_script(script: str, statements: list[str]) -> None:
    assert split(script) == statements


@pytest.mark.parametrize("script", ["SELECT 'open", "SELECT `open", "SELECT /* open"])
def test_an_open_quote_is_a_syntax_error(script: str) -> None:
    with pytest.raises(SqlError, match=r"\[PARSE_SYNTAX_ERROR\].*left open") as caught:
        split(script)
    assert caught.value.sql_state == "42601"


@pytest.mark.parametrize(
    ("statement", "bound"),
    [
        ("SELECT :text, :none", "SELECT 'it\\'s a \\\\ path', CAST(NULL AS STRING)"),
        ("SELECT :day,:price", "SELECT CAST('2026-11-21' AS DATE),CAST('1.5' AS DECIMAL(10, 2))"),
        ("SELECT :nothing::BIGINT", "SELECT CAST(NULL AS INT)::BIGINT"),
        ("SELECT ':text', `:text`, \":text\" -- :text", None),
        ("SELECT raw:text, f(x):text.a, a[0]:text", None),
        ("SELECT CAST(x AS STRUCT<text:STRING,day:DATE>)", None),
        ("SELECT a : text, {{text}}", None),
        ("SELECT 1 WHERE x=:catalog", "SELECT 1 WHERE x='main'"),
    ],
)
def test_markers_become_literals_and_the_rest_stays(statement: str, bound: str | None) -> None:
    assert bind(statement, PARAMETERS) == (statement if bound is None else bound)


@pytest.mark.parametrize(
    ("clause", "name"),
    [
        ("IDENTIFIER(:catalog)", "`main`"),
        ("identifier ( 'a.b' )", "`a`.`b`"),
        ("IDENTIFIER(:catalog || '.' || :schema || '.t')", "`main`.`my-schema`.`t`"),
        ("IDENTIFIER('`a.b`.`c``d`')", "`a.b`.`c``d`"),
        ("IDENTIFIER(:catalog/* c */||\n'.t')", "`main`.`t`"),
        ("IDENTIFIER(lower(:catalog))", "IDENTIFIER(lower('main'))"),
        ("IDENTIFIER('a' 'b')", "IDENTIFIER('a' 'b')"),
        ("`identifier`", "`identifier`"),
        ("identifier", "identifier"),
    ],
)
def test_constant_identifier_clauses_become_names(clause: str, name: str) -> None:
    assert bind(f"INSERT OVERWRITE {clause} SELECT 1", PARAMETERS) == (
        f"INSERT OVERWRITE {name} SELECT 1"
    )
    assert bind(f"SELECT * FROM {clause}", PARAMETERS) == f"SELECT * FROM {name}"


@pytest.mark.parametrize(
    ("statement", "message", "sql_state"),
    [
        ("SELECT :absent", "[UNBOUND_SQL_PARAMETER] Found the unbound parameter: absent.", "42P02"),
        ("SELECT * FROM IDENTIFIER(:none)", "[NOT_A_CONSTANT_STRING.NULL]", "42601"),
        ("SELECT * FROM IDENTIFIER('a b')", "[PARSE_SYNTAX_ERROR] 'a b' is not a valid", "42601"),
        ("SELECT * FROM IDENTIFIER('a..b')", "[PARSE_SYNTAX_ERROR] 'a..b' is not a", "42601"),
        ("SELECT * FROM IDENTIFIER('')", "[PARSE_SYNTAX_ERROR] '' is not a valid", "42601"),
    ],
)
def test_what_cannot_be_bound(statement: str, message: str, sql_state: str) -> None:
    with pytest.raises(SqlError) as caught:
        bind(statement, PARAMETERS)
    assert caught.value.message.startswith(message)
    assert caught.value.sql_state == sql_state


@pytest.mark.parametrize("kind", ["INT) --", "ARRAY<INT>", "", "INT; DROP TABLE t"])
def test_only_scalar_types_are_parameter_types(kind: str) -> None:
    with pytest.raises(SqlError, match="Unsupported parameter type"):
        bind("SELECT :x", {"x": Parameter("1", kind)})


@given(st.text())
def test_any_text_is_one_literal(text: str) -> None:
    bound = bind("SELECT :x AS y", {"x": Parameter(text)})
    literal = tokenize(bound)[1]
    assert (literal.text, len(tokenize(bound))) == (text, 4)


@given(st.text(min_size=1))
def test_any_name_is_quoted_whole(name: str) -> None:
    assert quote_dotted(f"{quote(name)}.{quote(name)}") == f"{quote(name)}.{quote(name)}"


@pytest.mark.parametrize(
    ("statement", "returns", "inserts"),
    [
        ("select 1", True, False),
        ("(SELECT 1)", True, False),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True, False),
        ("SHOW TABLES", True, False),
        ("CREATE TABLE t (a INT)", False, False),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", False, False),
        ("insert overwrite t select 1", False, True),
    ],
)
def test_kinds_of_statements(statement: str, returns: bool, inserts: bool) -> None:
    assert (returns_rows(statement), inserts_rows(statement)) == (returns, inserts)
