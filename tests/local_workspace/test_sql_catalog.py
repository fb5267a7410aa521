"""Statements on tables, schemas, volumes and their files, on a real Sail and the workspace's catalog."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from pyspark.errors import PySparkException
from sql_on_sail import Sql, sql_on_sail

from local_workspace.runtime.commands import tables
from local_workspace.sql.errors import SqlError


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sql]:
    with sql_on_sail(tmp_path_factory.mktemp("state")) as sql:
        yield sql


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


def test_a_create_table_that_fails_leaves_no_table(sql: Sql) -> None:
    overflow = "CREATE TABLE half AS SELECT CAST(id AS TINYINT) AS id FROM range(1000)"
    for _ in range(2):
        with pytest.raises(PySparkException, match="Can't cast value 128"):
            sql(overflow)
    sql("CREATE TABLE half AS SELECT 1 AS id")
    with pytest.raises(PySparkException, match="already exists"):
        sql(overflow)
    assert sql("SELECT * FROM half") == [["1"]]


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
