"""CREATE OR REPLACE, ALTER, COMMENT ON, RESTORE and SHOW of tables, on a real Sail and the workspace's catalog."""

from __future__ import annotations

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InternalError
from databricks.sdk.service.catalog import TableInfo
from pyspark.errors import PySparkException
from sql_on_sail import Sql

from local_workspace.runtime.commands import replace_table
from local_workspace.runtime.commands.scratch_table import written
from local_workspace.sql.errors import SqlError


@pytest.fixture(scope="module")
def client(sql: Sql) -> WorkspaceClient:
    workspace = sql.workspace
    return WorkspaceClient(host=workspace.url, token=workspace.token, auth_type="pat")


def operations(sql: Sql, table: str) -> list[str | None]:
    return [row[4] for row in sql(f"DESCRIBE HISTORY {table}")]


def table_of(sql: Sql, name: str) -> TableInfo:
    return sql.workspace.catalog.tables.get(f"main.default.{name}")


def test_create_or_replace_is_one_commit_of_the_same_table(sql: Sql) -> None:
    sql("CREATE OR REPLACE TABLE r (id INT, name STRING) COMMENT 'one' TBLPROPERTIES ('a' = 'b')")
    sql("INSERT INTO r VALUES (1, 'a'), (2, 'b')")
    before = table_of(sql, "r")
    sql("CREATE OR REPLACE TABLE r PARTITIONED BY (name) AS SELECT name, id + 0.5 AS half FROM r")
    after = table_of(sql, "r")
    assert sql("SELECT * FROM r ORDER BY half") == [["a", "1.5"], ["b", "2.5"]]
    assert after.table_id == before.table_id
    assert after.comment is None
    assert "a" not in (after.properties or {})
    assert [(column.name, column.type_text) for column in after.columns or ()] == [
        ("name", "string"),
        ("half", "decimal(12,1)"),
    ]
    assert operations(sql, "r") == ["CREATE OR REPLACE TABLE AS SELECT", "WRITE", "CREATE TABLE"]
    sql("UPDATE r SET half = 9 WHERE name = 'a'")
    assert sql("SELECT half FROM r ORDER BY half") == [["2.5"], ["9.0"]]
    assert sql("SHOW TABLES LIKE 'r*'") == [["main.default", "r", "false"]]


def test_replace_with_columns_leaves_no_rows(sql: Sql) -> None:
    sql("CREATE TABLE rc AS SELECT 1 AS x")
    sql(
        "REPLACE TABLE rc (k BIGINT NOT NULL COMMENT 'it\\'s', d DECIMAL(5,1), p STRING,"
        " s STRUCT<a: INT, b: ARRAY<STRING>>, n TIMESTAMP_NTZ) PARTITIONED BY (p)"
    )
    assert sql("SELECT * FROM rc") == []
    with pytest.raises(PySparkException, match="NOT NULL constraint violated"):
        sql("INSERT INTO rc VALUES (NULL, 1, 'p', NULL, NULL)")
    sql("INSERT INTO rc SELECT 1, 2.5, 'a b/c', named_struct('a', 1, 'b', array('x')), NULL")
    assert sql("SELECT k, d, p, s.b FROM rc") == [["1", "2.5", "a b/c", '["x"]']]
    sql("ALTER TABLE rc ALTER COLUMN k DROP NOT NULL")
    sql("INSERT INTO rc VALUES (NULL, 1, 'p', NULL, NULL)")
    assert sql("SELECT count(*) FROM rc") == [["2"]]


def test_a_replacement_that_fails_leaves_the_table_as_it_was(sql: Sql) -> None:
    sql("CREATE TABLE rf AS SELECT 1 AS x")
    history = operations(sql, "rf")
    with pytest.raises(PySparkException, match="Can't cast value 128"):
        sql("CREATE OR REPLACE TABLE rf AS SELECT CAST(id AS TINYINT) AS x FROM range(1000)")
    sql.board.cuts = ["before"]
    with pytest.raises(InternalError):
        sql("CREATE OR REPLACE TABLE rf AS SELECT 'a' AS y")
    assert sql("SELECT x FROM rf") == [["1"]]
    assert operations(sql, "rf") == history
    sql.board.cuts = ["after"]
    sql("CREATE OR REPLACE TABLE rf AS SELECT 'a' AS y")
    assert sql("SELECT y FROM rf") == [["a"]]


def test_a_replacement_does_not_lose_what_is_written_meanwhile(
    sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("CREATE TABLE rm AS SELECT 1 AS x")
    other = sql.new_session()

    def overtaken(*args: object) -> object:
        other("INSERT INTO rm VALUES (2)")
        return written(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(replace_table, "written", overtaken)
    with pytest.raises(
        SqlError,
        match=r"DELTA_CONCURRENT_APPEND.WITHOUT_HINT\] .*main.default.rm committed at version 1\.",
    ) as caught:
        sql("CREATE OR REPLACE TABLE rm AS SELECT sum(x) AS total FROM rm")
    assert caught.value.sql_state == "2D521"
    assert sql("SELECT x FROM rm ORDER BY x") == [["1"], ["2"]]


def test_columns_are_added(sql: Sql) -> None:
    sql("CREATE TABLE ac AS SELECT 1 AS id")
    sql("ALTER TABLE ac ADD COLUMN z DOUBLE COMMENT 'zz'")
    sql("ALTER TABLE ac ADD COLUMNS (s MAP<STRING, ARRAY<INT>>, d DECIMAL(10, 2))")
    assert sql("SELECT * FROM ac") == [["1", None, None, None]]
    sql("INSERT INTO ac VALUES (2, 1.5, map('k', array(1)), 3)")
    sql("MERGE INTO ac USING (SELECT 1 AS id) n ON ac.id = n.id WHEN MATCHED THEN UPDATE SET d = 7")
    assert sql("SELECT id, z, d FROM ac ORDER BY id") == [["1", None, "7.00"], ["2", "1.5", "3.00"]]
    columns = {column.name: column for column in table_of(sql, "ac").columns or ()}
    assert columns["z"].comment == "zz"
    assert (columns["d"].type_precision, columns["d"].type_scale) == (10, 2)


def test_concurrent_changes_all_take_place(sql: Sql) -> None:
    sql("CREATE TABLE cc (id INT)")
    sql.board.cuts = ["after"]
    sql("ALTER TABLE cc SET TBLPROPERTIES ('a' = '1')")
    sql.new_session()("ALTER TABLE cc SET TBLPROPERTIES ('b' = '2')")
    assert operations(sql, "cc") == ["SET TBLPROPERTIES", "SET TBLPROPERTIES", "CREATE TABLE"]
    properties = table_of(sql, "cc").properties or {}
    assert (properties["a"], properties["b"]) == ("1", "2")


def test_comments_and_properties_are_in_the_catalog_and_in_the_log(
    sql: Sql, client: WorkspaceClient
) -> None:
    sql("CREATE TABLE cp (id INT COMMENT 'old') TBLPROPERTIES ('gone' = '1')")
    sql("COMMENT ON TABLE cp IS 'all of it'")
    sql("COMMENT ON COLUMN main.default.cp.ID IS 'key'")
    sql("ALTER TABLE cp SET TBLPROPERTIES ('team' = 'it''s', q.r = 2)")
    sql("ALTER TABLE cp UNSET TBLPROPERTIES IF EXISTS ('gone', 'absent')")
    table = client.tables.get("main.default.cp")
    assert (table.comment, (table.columns or [])[0].comment) == ("all of it", "key")
    assert sql("DESCRIBE cp") == [["id", "int", "key"]]
    assert sql("SHOW TBLPROPERTIES cp ('team')") == [["team", "its"]]
    properties = dict(sql("SHOW TBLPROPERTIES cp"))
    assert (properties["q.r"], properties["delta.minReaderVersion"]) == ("2", "3")
    assert "gone" not in properties
    ((statement,),) = sql("SHOW CREATE TABLE cp")
    assert statement == (
        "CREATE TABLE main.default.cp (\n  id INT COMMENT 'key')\nUSING delta\n"
        "COMMENT 'all of it'\nTBLPROPERTIES (\n  'q.r' = '2',\n  'team' = 'its')"
    )
    sql("DROP TABLE cp")
    sql(statement)
    assert sql("SHOW CREATE TABLE cp") == [[statement]]
    sql("COMMENT ON TABLE cp IS NULL")
    assert client.tables.get("main.default.cp").comment is None
    assert sql("SHOW COLUMNS IN cp FROM main.default") == [["id"]]


def test_restore_brings_rows_and_columns_back(sql: Sql) -> None:
    sql("CREATE TABLE rs (id INT, name STRING)")
    sql("INSERT INTO rs VALUES (1, 'a')")
    committed = sql("DESCRIBE HISTORY rs LIMIT 1")[0][1]
    sql("DELETE FROM rs")
    sql("CREATE OR REPLACE TABLE rs AS SELECT 2 AS other")
    ((*_, removed, restored, _, _),) = sql("RESTORE TABLE rs TO VERSION AS OF 1")
    assert (removed, restored) == ("1", "1")
    assert sql("SELECT * FROM rs") == [["1", "a"]]
    sql("INSERT INTO rs VALUES (3, 'c')")
    sql(f"RESTORE rs TO TIMESTAMP AS OF '{committed}'")
    assert sql("SELECT * FROM rs") == [["1", "a"]]
    assert operations(sql, "rs")[:2] == ["RESTORE", "WRITE"]


def test_comments_and_owners_of_other_objects(sql: Sql, client: WorkspaceClient) -> None:
    sql("CREATE SCHEMA co")
    sql("CREATE VOLUME co.v")
    sql("COMMENT ON SCHEMA co IS 'a schema'")
    sql("COMMENT ON VOLUME co.v IS 'a volume'")
    sql("ALTER SCHEMA co OWNER TO `data team`")
    sql("ALTER VOLUME co.v SET OWNER TO bob")
    schema = client.schemas.get("main.co")
    assert (schema.comment, schema.owner) == ("a schema", "data team")
    volume = ["v", "main", "co", "bob", None, "MANAGED", "a volume"]
    assert sql("DESCRIBE VOLUME co.v") == [volume]
    sql("CREATE TABLE co.t (id INT)")
    sql("ALTER TABLE co.t SET OWNER TO bob")
    assert client.tables.get("main.co.t").owner == "bob"
    sql("DROP SCHEMA co CASCADE")


@pytest.mark.parametrize(
    ("statement", "message", "sql_state"),
    [
        ("REPLACE TABLE absent AS SELECT 1 AS x", "[TABLE_OR_VIEW_NOT_FOUND]", "42P01"),
        ("CREATE OR REPLACE TABLE e USING PARQUET AS SELECT 1 AS x", "with USING", "0A000"),
        ("CREATE OR REPLACE TABLE e CLUSTER BY (x) AS SELECT 1 AS x", "with CLUSTER BY", "0A000"),
        ("CREATE OR REPLACE TABLE e (v VARIANT)", "type VARIANT of `v`; use STRING", "0A000"),
        ("ALTER TABLE e ADD COLUMN m MAP<STRING, DECIMAL(3, 1)>", "use STRING", "0A000"),
        ("ALTER TABLE e ADD COLUMN ID INT", "[FIELD_ALREADY_EXISTS]", "42710"),
        ("ALTER TABLE e ADD COLUMN n INT NOT NULL", "NOT NULL is not supported", "0AKDC"),
        ("ALTER TABLE e ADD COLUMN n INT AFTER id", "AFTER of a column", "0A000"),
        ("ALTER TABLE e ALTER COLUMN no COMMENT 'x'", "following? [`id`]", "42703"),
        ("ALTER TABLE e DROP COLUMN id", "ALTER TABLE ... DROP COLUMN", "0A000"),
        ("ALTER TABLE e RENAME TO f", "ALTER TABLE ... RENAME TO", "0A000"),
        ("ALTER TABLE e ALTER COLUMN id TYPE BIGINT", "ALTER COLUMN ... TYPE BIGINT", "0A000"),
        ("ALTER TABLE e UNSET TBLPROPERTIES ('no')", "[UNSET_NONEXISTENT_PROPERTIES]", "42K0J"),
        ("ALTER TABLE e SET TBLPROPERTIES (delta.appendOnly = true)", "delta.appendOnly", "0A000"),
        ("ALTER TABLE absent ADD COLUMN id INT", "[TABLE_OR_VIEW_NOT_FOUND]", "42P01"),
        ("RESTORE e TO VERSION AS OF 9", "Available versions: [0, 0]", "22003"),
        ("RESTORE e TO TIMESTAMP AS OF '2001-01-01'", "before the earliest version", "42816"),
        ("COMMENT ON VOLUME absent IS 'x'", "[VOLUME_NOT_FOUND]", "42704"),
        ("COMMENT ON SCHEMA absent IS 'x'", "[SCHEMA_NOT_FOUND]", "42704"),
        ("ALTER SCHEMA default SET DBPROPERTIES ('a' = 'b')", "use the CLI's schemas", "0A000"),
        ("CREATE TABLE g (id BIGINT GENERATED ALWAYS AS IDENTITY)", "GENERATED of a", "0A000"),
        ("CREATE TABLE g (id INT, x STRING DEFAULT 'a')", "DEFAULT of a column", "0A000"),
        ("CREATE TABLE g (id INT PRIMARY KEY)", "PRIMARY KEY of a column", "0A000"),
    ],
)
def test_errors(sql: Sql, statement: str, message: str, sql_state: str) -> None:
    sql("CREATE TABLE IF NOT EXISTS e (id INT)")
    with pytest.raises(SqlError) as caught:
        sql(statement)
    assert message in caught.value.message
    assert caught.value.sql_state == sql_state
    assert operations(sql, "e") == ["CREATE TABLE"]
