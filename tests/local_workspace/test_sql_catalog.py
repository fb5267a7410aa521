"""Statements on tables, schemas, volumes and their files, on a real Sail and the workspace's catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest
from databricks.sdk import WorkspaceClient
from pyspark.errors import PySparkException
from sql_on_sail import Sql

from local_workspace.runtime.commands import tables
from local_workspace.runtime.commands.newer_session import new_session, session_for
from local_workspace.sql.commands import Use
from local_workspace.sql.errors import SqlError


@pytest.fixture(scope="module")
def client(sql: Sql) -> WorkspaceClient:
    workspace = sql.workspace
    return WorkspaceClient(host=workspace.url, token=workspace.token, auth_type="pat")


def test_history_is_what_was_committed(sql: Sql) -> None:
    sql("CREATE TABLE h (id INT)")
    sql("INSERT INTO h VALUES (1), (2)")
    sql.put("h/1.json", '{"id": 3}\n')
    sql("COPY INTO h FROM '/Volumes/main/default/files/h' FILEFORMAT = JSON")
    assert [name for name, _ in sql.columns("DESCRIBE HISTORY h")] == [
        *("version", "timestamp", "userId", "userName", "operation", "operationParameters", "job"),
        *("notebook", "clusterId", "readVersion", "isolationLevel", "isBlindAppend"),
        *("operationMetrics", "userMetadata", "engineInfo"),
    ]
    history = [
        dict(zip(dict(tables.HISTORY), row, strict=True)) for row in sql("DESCRIBE HISTORY h")
    ]
    assert [(row["version"], row["operation"]) for row in history] == [
        ("2", "COPY INTO"),
        ("1", "WRITE"),
        ("0", "CREATE TABLE"),
    ]
    assert {row["userName"] for row in history} == {"local@localhost"}
    assert history[0]["userMetadata"] is None
    assert '"numOutputRows": "2"' in str(history[1]["operationMetrics"])
    assert history[0]["timestamp"] >= history[1]["timestamp"] >= history[2]["timestamp"]  # type: ignore[operator]
    assert sql("DESC HISTORY main.default.h LIMIT 1") == sql("DESCRIBE HISTORY h")[:1]
    assert sql("DESCRIBE HISTORY h LIMIT 0") == []


def test_detail_counts_the_files_of_the_latest_version(sql: Sql) -> None:
    sql("CREATE TABLE d (id INT, part STRING) PARTITIONED BY (part) COMMENT 'details'")
    for _ in range(2):
        sql("INSERT INTO d VALUES (1, 'a')")
    sql("INSERT OVERWRITE d VALUES (2, 'b')")
    columns = sql.columns("DESCRIBE DETAIL d")
    assert [name for name, _ in columns] == [
        *("format", "id", "name", "description", "location", "createdAt", "lastModified"),
        *("partitionColumns", "clusteringColumns", "numFiles", "sizeInBytes", "properties"),
        *("minReaderVersion", "minWriterVersion", "tableFeatures", "statistics"),
    ]
    (row,) = sql("DESCRIBE DETAIL d")
    detail = dict(zip(dict(columns), row, strict=True))
    table = sql.workspace.catalog.tables.get("main.default.d")
    assert (detail["format"], detail["name"]) == ("delta", "main.default.d")
    assert detail["location"] == table.storage_location
    assert (detail["partitionColumns"], detail["numFiles"]) == ('["part"]', "1")
    assert int(detail["sizeInBytes"] or 0) > 0
    assert "catalogManaged" in str(detail["tableFeatures"])


def test_schemas(sql: Sql, client: WorkspaceClient) -> None:
    sql("CREATE SCHEMA a1 COMMENT 'one' WITH DBPROPERTIES ('k' = 'v')")
    schema = client.schemas.get("main.a1")
    assert (schema.comment, schema.properties) == ("one", {"k": "v"})
    sql("CREATE SCHEMA IF NOT EXISTS main.a1")
    assert sql("SHOW SCHEMAS LIKE 'a*'") == [["a1"]]
    assert sql("SHOW DATABASES IN main") == [["a1"], ["default"]]
    sql("CREATE TABLE a1.t (id INT)")
    session = sql.new_session()
    session("USE main.a1")
    session("INSERT INTO t VALUES (1)")
    assert session("SELECT * FROM t") == [["1"]]
    session("USE SCHEMA default")
    session("USE CATALOG main")
    assert session("SELECT * FROM a1.t") == [["1"]]
    sql("DROP SCHEMA a1 CASCADE")
    assert sql("SHOW SCHEMAS LIKE 'a*|A1'") == []
    sql("DROP SCHEMA IF EXISTS a1 RESTRICT")


def test_catalogs(sql: Sql, client: WorkspaceClient) -> None:
    sql("CREATE CATALOG wind COMMENT 'one'")
    sql("CREATE CATALOG IF NOT EXISTS WIND")
    assert client.catalogs.get("wind").comment == "one"
    assert sql("SHOW CATALOGS") == [["main"], ["wind"]]
    assert sql("SHOW CATALOGS LIKE 'w*'") == [["wind"]]
    # The session began before the catalog.
    sql("CREATE TABLE wind.default.t AS SELECT 1 AS a")
    assert sql("SELECT * FROM wind.default.t") == [["1"]]
    session = sql.new_session()
    session("USE CATALOG WIND")
    session("CREATE SCHEMA farms")
    session("CREATE VOLUME farms.photos")
    session("INSERT INTO t VALUES (2)")
    assert session("SELECT current_catalog(), sum(a) FROM t") == [["wind", "3"]]
    assert sql("SELECT sum(a) FROM wind.default.t") == [["3"]]
    assert session("SHOW VOLUMES IN farms") == [["farms", "photos"]]
    assert sql("LIST '/Volumes/wind/farms/photos'") == []
    with pytest.raises(SqlError, match=r"CATALOG_NOT_EMPTY.*DROP CATALOG \.\.\. CASCADE"):
        sql("DROP CATALOG wind")
    sql("DROP CATALOG wind CASCADE")
    sql("DROP CATALOG IF EXISTS wind")
    assert sql("SHOW CATALOGS") == [["main"]]
    with pytest.raises(SqlError, match="NO_SUCH_CATALOG"):
        sql("DROP CATALOG wind")


def test_a_session_uses_a_catalog_that_is_younger(sql: Sql) -> None:
    session = sql.new_session()
    session("CREATE TEMPORARY VIEW seen AS SELECT 1 AS a")
    session("CREATE CATALOG sun")
    with pytest.raises(SqlError, match="Catalog 'sun' was created after this session began"):
        session("USE CATALOG sun")
    session("DROP VIEW seen")
    session.session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    newer = session_for(session.session, Use("SCHEMA", ("SUN", "default")), new_session)
    session = replace(session, session=newer)
    session("USE SUN.default")
    zone = "SELECT current_catalog(), current_timezone()"
    assert session(zone) == [["sun", "Asia/Tokyo"]]
    assert session_for(newer, Use("CATALOG", ("sun",)), new_session) is newer
    newer.stop()
    sql("DROP CATALOG sun CASCADE")


def test_group_by_all(sql: Sql) -> None:
    sql("CREATE TABLE sales AS SELECT * FROM VALUES (0, 0), (1, 1), (0, 2), (1, 3) AS v (kind, id)")
    sql("CREATE TABLE sums AS SELECT kind + 1 AS k, sum(id) AS s FROM sales GROUP BY ALL")
    assert sql("SELECT k, max(s) FROM sums GROUP BY ALL ORDER BY k") == [["1", "2"], ["2", "4"]]
    assert sql("SELECT sum(s) FROM sums GROUP BY ALL") == [["6"]]


def test_a_create_table_that_fails_leaves_no_table(sql: Sql) -> None:
    overflow = "CREATE TABLE half AS SELECT CAST(id AS TINYINT) AS id FROM range(1000)"
    for _ in range(2):
        with pytest.raises(PySparkException, match="Can't cast value 128"):
            sql(overflow)
    sql("CREATE TABLE half AS SELECT 1 AS id")
    with pytest.raises(SqlError, match="TABLE_OR_VIEW_ALREADY_EXISTS"):
        sql(overflow)
    sql(overflow.replace("TABLE", "TABLE IF NOT EXISTS"))
    assert sql("SELECT * FROM half") == [["1"]]


def test_create_table_as_select(sql: Sql) -> None:
    sql("CREATE TABLE cs (k INT COMMENT 'key', v INT)")
    sql("INSERT INTO cs VALUES (1, 2), (1, 3)")
    sql(
        "CREATE TABLE totals PARTITIONED BY (k) COMMENT 'all' TBLPROPERTIES ('a' = 'b')"
        " AS SELECT k, sum(v) AS total, count(*) AS n FROM cs GROUP BY ALL"
    )
    sql("INSERT INTO totals VALUES (2, NULL, NULL)")
    assert sql("SELECT * FROM totals ORDER BY k") == [["1", "5", "2"], ["2", None, None]]
    table = sql.workspace.catalog.tables.get("main.default.totals")
    assert (table.comment, (table.properties or {})["a"]) == ("all", "b")
    assert [column.comment for column in table.columns or ()] == ["key", None, None]
    assert [row[4] for row in sql("DESCRIBE HISTORY totals")] == ["WRITE", "CREATE TABLE AS SELECT"]


def test_volumes(sql: Sql, client: WorkspaceClient) -> None:
    sql("CREATE VOLUME v1 COMMENT 'one'")
    assert client.volumes.read("main.default.v1").comment == "one"
    sql("CREATE VOLUME IF NOT EXISTS main.default.v1")
    assert sql("SHOW VOLUMES") == [["default", "files"], ["default", "v1"]]
    assert sql("SHOW VOLUMES IN main.default LIKE 'V*'") == [["default", "v1"]]
    sql("DROP VOLUME v1")
    sql("DROP VOLUME IF EXISTS v1")
    assert [volume.name for volume in client.volumes.list("main", "default")] == ["files"]


def test_files_of_a_volume(sql: Sql) -> None:
    sql.put("l/b.txt", "four")
    sql.put("l/a/c.txt", "")
    path = "/Volumes/main/default/files/l"
    assert sql.columns(f"LIST '{path}'") == [
        ("path", "STRING"),
        ("name", "STRING"),
        ("size", "BIGINT"),
        ("modification_time", "BIGINT"),
    ]
    modified = str((sql.files / "l" / "b.txt").stat().st_mtime_ns // 1_000_000)
    directory, file = sql(f"LIST 'dbfs:{path}/'")
    assert directory[:3] == [f"{path}/a/", "a/", "0"]
    assert file == [f"{path}/b.txt", "b.txt", "4", modified]
    assert sql(f"LIST '{path}' LIMIT 1") == [directory]
    # A parameter of a task has the path on this machine.
    assert sql(f"LIST '{sql.files}/l'") == [directory, file]


@pytest.mark.parametrize(
    ("statement", "message", "sql_state"),
    [
        (
            "DESCRIBE HISTORY absent",
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `absent`",
            "42P01",
        ),
        ("DESCRIBE DETAIL main.no.t", "[TABLE_OR_VIEW_NOT_FOUND]", "42P01"),
        ("CREATE SCHEMA main.default", "[SCHEMA_ALREADY_EXISTS] Cannot create schema", "42P06"),
        ("CREATE SCHEMA other.s", "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'other'", "42704"),
        ("DROP SCHEMA absent", "[SCHEMA_NOT_FOUND] The schema `absent`", "42704"),
        ("DROP SCHEMA default", "[SCHEMA_NOT_EMPTY] Cannot drop a schema `default`", "2BP01"),
        ("USE absent", "[SCHEMA_NOT_FOUND] The schema `absent`", "42704"),
        ("USE CATALOG absent", "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'absent'", "42704"),
        ("CREATE CATALOG main", "[CATALOG_ALREADY_EXISTS] Cannot create catalog `main`", "42710"),
        ("DROP CATALOG absent", "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'absent'", "42704"),
        (
            "CREATE CATALOG c MANAGED LOCATION 's3://b'",
            "[UNSUPPORTED_FEATURE] The local workspace does not support CREATE CATALOG with MANAGED",
            "0A000",
        ),
        ("SHOW SCHEMAS IN absent", "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'absent'", "42704"),
        ("SHOW VOLUMES IN absent", "[SCHEMA_NOT_FOUND] The schema `main`.`absent`", "42704"),
        ("CREATE VOLUME files", "[VOLUME_ALREADY_EXISTS] Cannot create volume `files`", "42000"),
        ("CREATE VOLUME absent.v", "[SCHEMA_NOT_FOUND] The schema `main`.`absent`", "42704"),
        ("DROP VOLUME absent", "[VOLUME_NOT_FOUND] Volume `absent` does not exist", "42704"),
        ("CREATE TABLE absent.t", "[SCHEMA_NOT_FOUND] The schema `main`.`absent`", "42704"),
        ("LIST '/Volumes/main/default/absent'", "[PATH_NOT_FOUND] Path does not exist", "42K03"),
        ("LIST '/Volumes/main/default/files/absent'", "[PATH_NOT_FOUND]", "42K03"),
        ("LIST '/etc'", "[PATH_NOT_FOUND] Path does not exist: /etc", "42K03"),
        (
            "LIST '/Volumes/main/default/files' LIMIT 2000",
            "[INVALID_LIMIT_LIKE_EXPRESSION",
            "42K0E",
        ),
        (
            "OPTIMIZE t",
            "[UNSUPPORTED_FEATURE] The local workspace does not support OPTIMIZE",
            "0A000",
        ),
    ],
)
def test_errors_have_their_class_and_state(
    sql: Sql, statement: str, message: str, sql_state: str
) -> None:
    with pytest.raises(SqlError) as caught:
        sql(statement)
    assert caught.value.message.startswith(message)
    assert caught.value.message.endswith(f"SQLSTATE: {sql_state}")
    assert caught.value.sql_state == sql_state


def test_information_schema(sql: Sql) -> None:
    sql("CREATE SCHEMA info COMMENT 'one'")
    sql("CREATE TABLE info.t (a BIGINT NOT NULL COMMENT 'key', b DECIMAL(5, 2)) COMMENT 'two'")
    sql("CREATE VOLUME info.v")
    columns = """
        SELECT c.column_name, full_data_type, ordinal_position, is_nullable, c.comment, t.comment
        FROM information_schema.columns c JOIN main.information_schema.tables AS t
        USING (table_schema, table_name) WHERE table_schema = 'info' AND '{x}' <> '{}' ORDER BY 3
    """
    assert sql(columns) == [
        ["a", "bigint", "1", "NO", "key", "two"],
        ["b", "decimal(5,2)", "2", "YES", None, "two"],
    ]
    schemas = "SELECT comment FROM system.information_schema.schemata WHERE schema_name = 'info'"
    assert sql(schemas) == [["one"]]
    assert sql(
        "WITH q AS (SELECT volumes.volume_name AS name FROM information_schema.volumes) "
        "SELECT name FROM q ORDER BY name DESC LIMIT 1"
    ) == [["v"]]
    assert ["main"] in sql("SELECT catalog_name FROM information_schema.catalogs")
    sql("CREATE TABLE info.names AS SELECT table_name FROM information_schema.tables")
    assert ["t"] in sql("SELECT * FROM info.names")
    sql("DROP SCHEMA info CASCADE")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM information_schema.views", "does not support information_schema.views"),
        ("SELECT * FROM absent.information_schema.tables", "Catalog 'absent' not found"),
    ],
)
def test_what_information_schema_has_not(sql: Sql, statement: str, message: str) -> None:
    with pytest.raises(SqlError, match=message):
        sql(statement)
