"""DataFrames that overwrite tables as a task's code writes it, on a real Sail and the workspace's catalog."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.connect.readwriter import DataFrameWriter, DataFrameWriterV2
from sql_on_sail import Sql, sql_on_sail

from local_workspace.runtime import table_writers

PATCHED = [
    (DataFrameWriter, "saveAsTable"),
    (DataFrameWriterV2, "createOrReplace"),
    (DataFrameWriterV2, "replace"),
]


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sql]:
    with (
        sql_on_sail(tmp_path_factory.mktemp("state")) as sql,
        pytest.MonkeyPatch.context() as patch,
    ):
        for writer, method in PATCHED:
            patch.setattr(writer, method, getattr(writer, method))
        table_writers.install()
        yield sql


def test_save_as_table_overwrites(sql: Sql) -> None:
    rows = sql.session.sql("SELECT 'a' AS name, 1 AS id")
    rows.write.mode("overwrite").saveAsTable("main.default.w")
    sql("COMMENT ON TABLE w IS 'kept'")
    sql.session.sql("SELECT 2 AS ID, 'b' AS Name").write.mode("overwrite").saveAsTable("w")
    assert sql("SELECT * FROM w") == [["b", "2"]]
    rows.write.saveAsTable("w", mode="append")
    assert sql("SELECT count(*) FROM w") == [["2"]]
    with pytest.raises(AnalysisException, match="already exists"):
        rows.write.saveAsTable("w")
    assert sql.workspace.catalog.tables.get("main.default.w").comment == "kept"


def test_save_as_table_changes_the_schema_where_it_is_told_to(sql: Sql) -> None:
    sql("CREATE TABLE ws (id INT) COMMENT 'kept' TBLPROPERTIES ('a' = 'b')")
    other = sql.session.sql("SELECT 1.5 AS x, 'p' AS part")
    with pytest.raises(AnalysisException, match=r"schema mismatch .* x, part\. .*overwriteSchema"):
        other.write.mode("overwrite").saveAsTable("ws")
    sql.session.sql("SELECT NULL AS Id").write.saveAsTable("ws", mode="overwrite")
    assert sql("SELECT * FROM ws") == [[None]]
    writer = other.write.format("delta").mode("overwrite").option("overwriteSchema", True)
    writer.partitionBy("part").saveAsTable("ws")
    assert sql("SELECT * FROM ws") == [["1.5", "p"]]
    table = sql.workspace.catalog.tables.get("main.default.ws")
    assert (table.comment, (table.properties or {})["a"]) == ("kept", "b")
    assert "PARTITIONED BY (part)" in str(sql("SHOW CREATE TABLE ws"))


def test_save_as_table_creates_a_table_of_any_query(sql: Sql) -> None:
    sql("CREATE TABLE wq (k INT COMMENT 'key')")
    counts = sql.session.table("wq").groupBy("k").count()
    for mode in ("error", "append", "ignore"):
        counts.write.partitionBy("k").saveAsTable("wc", mode=mode)
    assert sql("SELECT * FROM wc") == []
    assert sql("DESCRIBE wc")[:2] == [["k", "int", "key"], ["count", "bigint", None]]


def test_create_or_replace(sql: Sql) -> None:
    for value in ("1 AS id", "'a' AS name"):
        rows = sql.session.sql(f"SELECT {value}")
        rows.writeTo("main.default.wr").using("delta").createOrReplace()
    assert sql("SELECT name FROM wr") == [["a"]]
    sql.session.sql("SELECT name, 2 AS id FROM wr").writeTo("wr").replace()
    assert sql("SELECT * FROM wr") == [["a", "2"]]
    with pytest.raises(PySparkException, match="TABLE_OR_VIEW_NOT_FOUND"):
        sql.session.sql("SELECT 1 AS id").writeTo("absent").replace()
