from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from renewables.append import append_files, held_hashes
from renewables.errors import UnfitFile
from renewables.inspection import inspect
from renewables.landing import LandedFile, landed_files, record
from renewables.load import Load, load, read, refuse_nothing_fit, remove_loaded
from renewables.schemas import BRONZE, QUARANTINE, Schema
from renewables.sources import MEASURES

pytestmark = pytest.mark.local_files

MODIFIED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def bronze(spark: SparkSession, schema: Schema) -> str:
    return schema.create(spark, BRONZE)


def rows_of(spark: SparkSession, file: LandedFile) -> DataFrame:
    return read(spark, [file], {file: inspect(file.path, file.source_file)}, "7")


def land(landing: Path, source: str, content_hash: str, lines: str) -> LandedFile:
    """A landed file with these lines under OWID's header."""
    file = LandedFile(landing / source / f"{content_hash}.csv", f"{source}.csv", MODIFIED_AT)
    record(file)
    file.path.write_text(f"Entity,Code,Year,{source.capitalize()} (% electricity)\n{lines}")
    return file


def counts(spark: SparkSession, bronze: str) -> dict[str, int]:
    rows = spark.table(bronze).groupBy("_content_hash").count().collect()
    return {row["_content_hash"]: row["count"] for row in rows}


def test_reads_every_value_as_it_came(spark: SparkSession, tmp_path: Path) -> None:
    lines = 'Norway,NOR,2020,"6,4"\n"Bonaire ""B"", x",, 2020 ,NaN\n'
    file = land(tmp_path, "wind", "aa", lines)
    rows = rows_of(spark, file)
    assert rows.columns == BRONZE.column_names
    assert [tuple(row)[:5] for row in rows.orderBy("_position").collect()] == [
        ("Norway", "NOR", "2020", "6,4", 0),
        ('Bonaire "B", x', None, " 2020 ", "NaN", 1),
    ]
    row = rows.first()
    assert row is not None
    assert (row["source"], row["_source_file"], row["_content_hash"], row["_run_id"]) == (
        *("wind", "wind.csv", "aa"),
        "7",
    )
    assert row["_source_modified_at"].astimezone(UTC) == MODIFIED_AT


def test_maps_the_columns_of_a_file_by_name(spark: SparkSession, tmp_path: Path) -> None:
    file = land(tmp_path, "wind", "aa", "")
    file.path.write_text("Year,Wind (% electricity),Code,ENTITY\n2020,6.4,NOR,Norway\n")
    row = rows_of(spark, file).first()
    assert row is not None
    assert tuple(row)[:4] == ("Norway", "NOR", "2020", "6.4")


def test_appends_each_content_once(
    spark: SparkSession, schema: Schema, bronze: str, tmp_path: Path
) -> None:
    hydro = land(tmp_path, "hydro", "aa", "Norway,NOR,2020,91\nChad,TCD,2020,0\n")
    assert load(spark, landed_files(tmp_path), schema, "1").loaded == [hydro]
    wind = land(tmp_path, "wind", "bb", "Norway,NOR,2020,6\n")
    assert load(spark, landed_files(tmp_path), schema, "2").loaded == [wind]
    assert load(spark, landed_files(tmp_path), schema, "3").loaded == []
    assert counts(spark, bronze) == {"aa": 2, "bb": 1}


def test_a_load_is_one_commit(
    spark: SparkSession, schema: Schema, bronze: str, tmp_path: Path
) -> None:
    files = [land(tmp_path, source, source, "Chad,TCD,2020,0\n") for source in ("hydro", "wind")]
    load(spark, files, schema, "1")
    assert spark.sql(f"SELECT * FROM {bronze} VERSION AS OF 0").count() == 0
    assert spark.sql(f"SELECT * FROM {bronze} VERSION AS OF 1").count() == 2
    assert spark.table(bronze).select("_loaded_at").distinct().count() == 1


def test_loads_at_once_append_each_content_once(
    spark: SparkSession,
    schema: Schema,
    bronze: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All four have seen an empty bronze before the first of them writes."""
    files = [
        land(tmp_path, source, f"{source}{number}", "Norway,NOR,2020,1\nChad,TCD,2020,0\n")
        for source in ("hydro", "solar", "wind")
        for number in range(2)
    ]
    together = threading.Barrier(4)
    monkeypatch.setattr(
        "renewables.load.append_files", meet_before_first_call(together, append_files)
    )
    schema.create(spark, QUARANTINE)
    offered = [files[:4], files[2:], files, files]
    loads = in_threads(lambda number: load(spark, offered[number], schema, str(number)), 4)
    assert counts(spark, bronze) == {file.content_hash: 2 for file in files}
    assert [one.loaded for one in loads] == offered


def test_a_load_that_cannot_write_fails(
    spark: SparkSession, schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PySparkException("no space left")

    monkeypatch.setattr("renewables.load.append_files", fail)
    with pytest.raises(PySparkException, match="no space left"):
        load(spark, [land(tmp_path, "wind", "aa", "Chad,TCD,2020,0\n")], schema, "1")


@pytest.mark.parametrize("calls", [0, 1, 2])
@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
def test_a_load_killed_at_a_write_is_done_again(
    spark: SparkSession,
    schema: Schema,
    bronze: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: int,
    written: bool,
) -> None:
    """The first write is quarantine's, the second bronze's; there is no third."""
    fit = land(tmp_path, "wind", "aa", "Norway,NOR,2020,6\n")
    unfit = land(tmp_path, "wind", "bb", "Norway,NOR\n")
    writes = count()

    def killed(*args: Any) -> None:
        is_last = next(writes) == calls
        if written or not is_last:
            append_files(*args)
        if is_last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr("renewables.load.append_files", killed)
        load(spark, [fit, unfit], schema, "1")
    load(spark, [fit, unfit], schema, "2")
    assert counts(spark, bronze) == {"aa": 1}
    assert counts(spark, schema.table(QUARANTINE)) == {"bb": 1}


def test_a_file_that_does_not_fit_leaves_the_others(
    spark: SparkSession, schema: Schema, tmp_path: Path
) -> None:
    fit = land(tmp_path, "wind", "aa", "Norway,NOR,2020,6\n")
    unfit = land(tmp_path, "hydro", "bb", "")
    unfit.path.write_text("Entity,Year,Hydro (% electricity)\nChad,2020,1\n")
    result = load(spark, [fit, unfit], schema, "1")
    assert result.loaded == [fit]
    assert result.rejected[unfit].startswith("hydro.csv has no column Code: expected Entity, Code")
    (row,) = spark.table(schema.table(QUARANTINE)).collect()
    assert row["reasons"] == [result.rejected[unfit]]
    assert (row["_source_file"], row["entity"], row["source"]) == ("hydro.csv", None, None)
    refuse_nothing_fit(spark, [fit, unfit], schema)
    with pytest.raises(UnfitFile, match=r"hydro\.csv has no column Code"):
        refuse_nothing_fit(spark, [unfit], schema)


@pytest.mark.parametrize("is_killed", [False, True], ids=["undisturbed", "killed"])
def test_a_rejected_file_is_loaded_once_its_measure_is_known(
    spark: SparkSession,
    schema: Schema,
    bronze: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_killed: bool,
) -> None:
    rain = land(tmp_path, "unfit", "aa", "Norway,NOR,2020,6\n")
    rain.path.write_text("Entity,Code,Year,Rainpower (%)\nNorway,NOR,2020,6\n")
    broken = land(tmp_path, "wind", "bb", "Norway,NOR\n")
    load(spark, [rain, broken], schema, "1")
    assert load(spark, [rain, broken], schema, "2") == Load([], {})
    monkeypatch.setitem(MEASURES, "rainpower (%)", "hydro")
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        if is_killed:
            patch.setattr("renewables.load.withdraw", Mock(side_effect=KeyboardInterrupt))
        assert load(spark, [rain, broken], schema, "3") == Load([rain], {})
    load(spark, [rain, broken], schema, "4")
    assert counts(spark, bronze) == {"aa": 1}
    assert counts(spark, schema.table(QUARANTINE)) == {"bb": 1}


def test_removes_what_is_old_and_loaded(
    spark: SparkSession, schema: Schema, tmp_path: Path
) -> None:
    old, new = (land(tmp_path, "wind", name, "Norway,NOR,2020,6\n") for name in ("aa", "bb"))
    unfit = land(tmp_path, "wind", "cc", "Norway,NOR\n")
    for file in (old, unfit):
        os.utime(file.path, (0, 0))
    assert load(spark, [old, new, unfit], schema, "1").loaded == [old, new]
    assert remove_loaded(spark, landed_files(tmp_path), schema, 30) == [old]
    assert landed_files(tmp_path) == [new, unfit]
    assert len(list((tmp_path / "wind").glob("*.json"))) == 2


def meet_before_first_call[**P](
    barrier: threading.Barrier, function: Callable[P, None]
) -> Callable[P, None]:
    """The function, whose first call in each thread waits for the other threads."""
    met = threading.local()

    def wait_once(*args: P.args, **kwargs: P.kwargs) -> None:
        if not hasattr(met, "done"):
            met.done = barrier.wait()
        function(*args, **kwargs)

    return wait_once


def in_threads[T](function: Callable[[int], T], count: int) -> list[T]:
    """What `function` returns for 0, 1 ... in as many threads at once."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, range(count)))


@pytest.mark.parametrize("most_lookups", [0, 30])
def test_finds_what_a_table_holds_one_by_one_or_all_at_once(
    bronze_rows: Callable[..., DataFrame], monkeypatch: pytest.MonkeyPatch, most_lookups: int
) -> None:
    monkeypatch.setattr("renewables.append.MOST_LOOKUPS", most_lookups)
    row = ("Chad", "TCD", "2020", "1")
    table = bronze_rows(row, row, _content_hash="a").union(bronze_rows(row, _content_hash="b"))
    assert sorted(held_hashes(table, {"a", "b", "c"})) == ["a", "b"]
    assert held_hashes(table, {"c"}) == held_hashes(table, []) == []
