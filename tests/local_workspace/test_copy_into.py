"""COPY INTO on a real Sail: what it loads, once and never twice, and what it refuses."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sql_on_sail import Sql, sql_on_sail

from local_workspace.sql.errors import SqlError

VOLUME = "/Volumes/main/default/files"


@pytest.fixture(scope="module")
def sail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sql]:
    with sql_on_sail(tmp_path_factory.mktemp("state")) as sql:
        yield sql


@pytest.fixture
def sql(sail: Sql, request: pytest.FixtureRequest) -> Iterator[Sql]:
    """With an empty table `t (id INT, name STRING)`, and the test's own folder of the volume."""
    sail.board.cuts.clear()
    sail("CREATE TABLE t (id INT, name STRING)")
    folder = sail.files / request.node.name.partition("[")[0]
    yield replace(sail, files=folder)
    sail("DROP TABLE t")


def copy(sql: Sql, rest: str = "", table: str = "t", source: str = "") -> str:
    header = "FORMAT_OPTIONS ('header' = 'true', 'inferSchema' = 'true')"
    return f"COPY INTO {table} FROM {source or path(sql)} FILEFORMAT = CSV {header} {rest}"


def path(sql: Sql) -> str:
    return f"'{VOLUME}/{sql.files.name}'"


def loaded(count: int) -> list[list[str | None]]:
    return [[str(count), str(count), "0"]]


def failure(sql: Sql, statement: str) -> str:
    with pytest.raises(SqlError) as caught:
        sql(statement)
    assert f"SQLSTATE: {caught.value.sql_state}" in caught.value.message
    return caught.value.message


def rows(sql: Sql, table: str = "t") -> list[list[str | None]]:
    return sorted(sql(f"SELECT * FROM {table}"), key=str)


def test_each_file_is_loaded_once(sql: Sql) -> None:
    sql.put("1.csv", "id,name\n1,a\n2,b\n")
    assert sql.columns(copy(sql)) == [
        ("num_affected_rows", "BIGINT"),
        ("num_inserted_rows", "BIGINT"),
        ("num_skipped_corrupt_files", "BIGINT"),
    ]
    sql.put("2.csv", "id,name\n3,c\n")
    sql.put("1.csv", "id,name\n9,changed\n")
    assert sql(copy(sql)) == loaded(1)
    assert sql(copy(sql)) == loaded(0)
    assert rows(sql) == [["1", "a"], ["2", "b"], ["3", "c"]]
    assert sql(copy(sql, "COPY_OPTIONS ('force' = 'true')")) == loaded(2)
    assert sql(copy(sql)) == loaded(0)


def test_columns_are_matched_by_name(sql: Sql) -> None:
    sql.put("1.csv", "id,name\n1,a\n")
    sql.put("2.csv", "NAME,id\nb,2\n")
    sql.put("3.csv", "id\n3\n")
    sql.put("4.csv", "")
    assert sql(copy(sql)) == loaded(3)
    assert rows(sql) == [["1", "a"], ["2", "b"], ["3", None]]


def test_files_without_rows_are_loaded_too(sql: Sql) -> None:
    sql.put("1.json", "")
    statement = f"COPY INTO t FROM {path(sql)} FILEFORMAT = JSON"
    assert sql(statement) == loaded(0)
    sql.put("1.json", '{"id": 1}\n')
    assert sql(statement) == loaded(0)
    assert sql(f"{statement} COPY_OPTIONS ('force' = 'true')") == loaded(1)


def test_columns_without_values_take_the_type_of_other_files(sql: Sql) -> None:
    sql.put("1.csv", "id,name\n")
    sql.put("2.csv", "")
    sql.put("3.csv", "id,name\n3,c\n")
    sql.put("4.csv", "id,name\n,d\n")
    assert sql(copy(sql)) == loaded(2)
    assert rows(sql) == [["3", "c"], [None, "d"]]
    sql.put("5.csv", "id,name\nfive,e\n")
    sql.put("6.csv", "id,name\n6,e\n")
    assert "id: string instead of int" in failure(sql, copy(sql))


def test_names_of_files_are_taken_literally(sql: Sql) -> None:
    names = ["a b", "x[1]", "p%20q", "q?", "s*", "{b,c}", "é", "h#1", "quote'", "back\\s"]
    for number, name in enumerate(names):
        sql.put(f"{name}.csv", f'id,name\n{number},"{name}"\n')
    sql.put("z.csv.gz", gzip.compress(b"id,name\n100,z\n"))
    sql.put("_hidden.csv", "no")
    sql.put(".hidden.csv", "no")
    assert sql(copy(sql)) == loaded(len(names) + 1)
    assert {row[1] for row in rows(sql)} == {*names, "z"}


def test_the_table_has_new_columns_with_merge_schema(sql: Sql) -> None:
    sql("INSERT INTO t VALUES (0, 'old')")
    sql.put("1.csv", "id,name,price\n1,a,1\n")
    sql.put("2.csv", "id,price\n2,2.5\n")
    assert "price: not in the table" in failure(sql, copy(sql))
    assert sql(copy(sql, "COPY_OPTIONS ('mergeSchema' = 'true')")) == loaded(2)
    assert rows(sql) == [["0", "old", None], ["1", "a", "1.0"], ["2", None, "2.5"]]


def test_a_table_without_columns_takes_those_of_the_files(sql: Sql) -> None:
    sql.put("1.csv", "id,name\n1,a\n")
    sql("CREATE TABLE IF NOT EXISTS empty COMMENT 'to be filled'")
    sql("CREATE TABLE IF NOT EXISTS empty")
    assert failure(sql, "CREATE TABLE empty").startswith("[TABLE_OR_VIEW_ALREADY_EXISTS]")
    assert "not in the table" in failure(sql, copy(sql, table="empty"))
    merge = "COPY_OPTIONS ('mergeSchema' = 'true')"
    assert sql(copy(sql, merge, table="main.default.empty")) == loaded(1)
    assert sql(copy(sql, merge, table="empty")) == loaded(0)
    assert rows(sql, "empty") == [["1", "a"]]
    shown = sql.workspace.catalog.tables.get("main.default.empty")
    assert [column.name for column in shown.columns or ()] == ["id", "name"]
    assert shown.comment == "to be filled"
    sql("DROP TABLE empty")


def test_a_select_with_the_files_metadata(sql: Sql) -> None:
    sql.put("1.csv", "1\n")
    sql.put("sub/2.csv", "22\n")
    sql("CREATE TABLE m (id INT, path STRING, name STRING, size BIGINT, changed TIMESTAMP)")
    select = (
        "SELECT _c0::INT + 0 AS id, _metadata.file_path AS path, _metadata.file_name AS name, "
        "_metadata.file_size AS size, _metadata.file_modification_time AS changed"
    )
    statement = f"COPY INTO m FROM ({select} FROM {path(sql)}) FILEFORMAT = CSV"
    assert sql(f"{statement} PATTERN = '{{*,sub/*}}.csv'") == loaded(2)
    base = f"dbfs:{VOLUME}/{sql.files.name}"
    assert sql("SELECT id, path, name, size FROM m ORDER BY id") == [
        ["1", f"{base}/1.csv", "1.csv", "2"],
        ["22", f"{base}/sub/2.csv", "2.csv", "3"],
    ]
    (seconds,), _ = sql("SELECT unix_micros(changed) FROM m ORDER BY id")
    modified = (sql.files / "1.csv").stat().st_mtime_ns // 1000
    assert abs(int(seconds or 0) - modified) <= 1
    sql("DROP TABLE m")


def test_a_star_does_not_stand_for_the_metadata(sql: Sql) -> None:
    sql.put("1.json", '{"id": 1}\n')
    select = f"(SELECT *, _metadata.file_name AS name FROM {path(sql)})"
    assert sql(f"COPY INTO t FROM {select} FILEFORMAT = JSON") == loaded(1)
    assert rows(sql) == [["1", "1.json"]]


def test_json_files_that_differ(sql: Sql) -> None:
    late = '{"id": 1}\n' * 2000 + '{"id": 2, "late": "x"}\n'
    sql.put("1.json", late)
    sql.put("2.json", '{"id": 3, "price": 1, "tags": ["a"], "at": {"x": 1}, "none": null}\n')
    sql.put("3.json", '{"id": 4, "price": 1.5, "at": {"y": true}}\n')
    merge = "COPY_OPTIONS ('mergeSchema' = 'true')"
    assert sql(f"COPY INTO t FROM {path(sql)} FILEFORMAT = JSON {merge}") == loaded(2003)
    columns = "id, name, late, price, tags, at, none"
    assert sql(f"SELECT {columns} FROM t WHERE id > 1 ORDER BY id") == [
        ["2", None, "x", None, None, None, None],
        ["3", None, None, "1.0", '["a"]', '{"x": 1, "y": null}', None],
        ["4", None, None, "1.5", None, '{"x": null, "y": true}', None],
    ]


def test_parquet_files(sql: Sql) -> None:
    for number, columns in enumerate([{"id": [1], "name": ["a"]}, {"name": ["b"]}]):
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer)  # type: ignore[no-untyped-call]
        sql.put(f"{number}.parquet", buffer.getvalue())
    assert sql(f"COPY INTO t FROM {path(sql)} FILEFORMAT = PARQUET") == loaded(2)
    assert rows(sql) == [["1", "a"], [None, "b"]]


def test_by_position(sql: Sql) -> None:
    sql.put("1.csv", "1;a\n")
    source = f"FROM {path(sql)} FILEFORMAT = CSV FORMAT_OPTIONS ('sep' = ';')"
    assert sql(f"COPY INTO t BY POSITION {source}") == loaded(1)
    assert sql(f"COPY INTO t (id, name) {source} COPY_OPTIONS ('force' = 'true')") == loaded(1)
    assert rows(sql) == [["1", "a"]] * 2
    force = "COPY_OPTIONS ('force' = 'true')"
    message = failure(sql, f"COPY INTO t (name) {source} {force}")
    assert "[COPY_INTO_COLUMN_ARITY_MISMATCH]" in message
    assert "the files have 2 columns, 1 are expected (name)" in message


def test_which_files_are_taken(sql: Sql) -> None:
    for name in ("a1.csv", "a2.csv", "b1.csv", "deep/a3.csv"):
        sql.put(name, "id,name\n1,x\n")
    assert sql(copy(sql, "PATTERN = 'a[2-9].csv'")) == loaded(1)
    assert sql(copy(sql, "FILES = ('a1.csv', 'a2.csv')")) == loaded(1)
    assert sql(copy(sql, "PATTERN = '*.csv'")) == loaded(1)
    assert sql(copy(sql, "PATTERN = '*/{a,b}?.csv'")) == loaded(1)
    one_file = f"'dbfs:{VOLUME}/{sql.files.name}/b1.csv'"
    assert sql(copy(sql, source=one_file)) == loaded(0)
    assert sql(copy(sql, "COPY_OPTIONS ('force' = 'true')", source=one_file)) == loaded(1)


def test_validate_loads_nothing(sql: Sql) -> None:
    sql.put("1.csv", "id,name\n1,a\n2,b\n")
    assert sql(copy(sql, "VALIDATE")) == [["1", "a"], ["2", "b"]]
    assert sql(copy(sql, "VALIDATE 1 ROWS")) == [["1", "a"]]
    assert rows(sql) == []
    assert sql(copy(sql)) == loaded(2)
    assert sql(copy(sql, "VALIDATE ALL")) == []
    sql.put("2.csv", "id,name\n3000000000,c\n")
    with pytest.raises(Exception, match="Can't cast value 3000000000"):
        sql(copy(sql, "VALIDATE"))


@pytest.mark.parametrize(
    ("statement", "error_class", "part"),
    [
        (
            "COPY INTO absent FROM {path} FILEFORMAT = CSV",
            "DELTA_MISSING_DELTA_TABLE_COPY_INTO",
            "CREATE TABLE `absent`",
        ),
        (
            "COPY INTO t FROM '/Volumes/main/default/no/x' FILEFORMAT = CSV",
            "PATH_NOT_FOUND",
            "Volume '`main`.`default`.`no`' does not exist",
        ),
        (
            "COPY INTO t FROM '/etc/passwd' FILEFORMAT = CSV",
            "PATH_NOT_FOUND",
            "must begin with /Volumes/",
        ),
        (
            "COPY INTO t FROM '/Volumes/main/default/files/../../../../x' FILEFORMAT = CSV",
            "PATH_NOT_FOUND",
            "'..'",
        ),
        (
            "COPY INTO t FROM '/Volumes/main/default/files/absent' FILEFORMAT = CSV",
            "PATH_NOT_FOUND",
            "files/absent",
        ),
        (
            "COPY INTO t FROM {path} FILEFORMAT = CSV FILES = ('../x.csv')",
            "PATH_NOT_FOUND",
            "x.csv",
        ),
        (
            "COPY INTO t FROM {path} FILEFORMAT = CSV PATTERN = '*.none'",
            "COPY_INTO_SOURCE_SCHEMA_INFERENCE_FAILED",
            "of type CSV",
        ),
        (
            "COPY INTO t FROM {path} FILEFORMAT = CSV PATTERN = '[z-a]'",
            "COPY_INTO_SYNTAX_ERROR",
            "not a valid glob",
        ),
        (
            "COPY INTO t FROM {path} FILEFORMAT = CSV",
            "COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE",
            "_c0: not in the table",
        ),
        (
            "COPY INTO t FROM {path} FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')",
            "COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE",
            "id: string instead of int",
        ),
        ("COPY INTO t FROM {path} FILEFORMAT = JSON", "FAILED_READ_FILE.NO_HINT", "/1.csv"),
    ],
)
def test_what_is_refused(sql: Sql, statement: str, error_class: str, part: str) -> None:
    sql.put("1.csv", "id,name\n1,a\n")
    message = failure(sql, statement.format(path=path(sql)))
    assert message.startswith(f"[{error_class}]")
    assert part in message
    assert rows(sql) == []


def test_links_that_lead_out_of_the_volume_are_refused(sql: Sql, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("id,name\n1,secret\n")
    sql.put("1.csv", "id,name\n1,a\n")
    (sql.files / "out").symlink_to(tmp_path)
    (sql.files / "out.csv").symlink_to(tmp_path / "secret.csv")
    assert "symbolic link" in failure(sql, copy(sql, source=f"{path(sql)[:-1]}/out'"))
    assert "symbolic link" in failure(sql, copy(sql))
    assert "symbolic link" in failure(sql, copy(sql, "FILES = ('out.csv')"))


def test_files_are_loaded_once_by_many_at_once(sql: Sql) -> None:
    for number in range(6):
        sql.put(f"{number}.csv", f"id,name\n{number},x\n")
    sessions = [sql.new_session() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda session: session(copy(sql)), sessions))
    assert sum(int(answer[0][0] or 0) for answer in answers) == 6
    assert [row[0] for row in rows(sql)] == [str(number) for number in range(6)]


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_that_is_cut_off_loads_files_once(sql: Sql, cut: str) -> None:
    sql.put("1.csv", "id,name\n1,a\n")
    sql.board.cuts.append(cut)
    try:
        first = sql(copy(sql))
    except Exception:
        first = loaded(0)
    assert sql.board.cuts == []
    second = sql(copy(sql))
    assert int(first[0][0] or 0) + int(second[0][0] or 0) == 1
    assert rows(sql) == [["1", "a"]]


def test_a_dropped_table_forgets_what_it_loaded(sql: Sql) -> None:
    sql.put("1.csv", "id,name\n1,a\n")
    assert sql(copy(sql)) == loaded(1)
    sql("DROP TABLE t")
    sql("CREATE TABLE t (id INT, name STRING)")
    assert sql(copy(sql)) == loaded(1)
