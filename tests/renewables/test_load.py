from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from renewables.append import append_files
from renewables.landing import LandedFile, landed_files, record
from renewables.load import load, read
from renewables.schemas import BRONZE, Schema

MODIFIED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def bronze(spark: SparkSession, schema: Schema) -> str:
    return schema.create(spark, BRONZE)


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
    rows = read(spark, [file], "7")
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
    row = read(spark, [file], "7").first()
    assert row is not None
    assert tuple(row)[:4] == ("Norway", "NOR", "2020", "6.4")


def test_appends_each_content_once(spark: SparkSession, bronze: str, tmp_path: Path) -> None:
    hydro = land(tmp_path, "hydro", "aa", "Norway,NOR,2020,91\nChad,TCD,2020,0\n")
    assert load(spark, landed_files(tmp_path), bronze, "1") == [hydro]
    wind = land(tmp_path, "wind", "bb", "Norway,NOR,2020,6\n")
    assert load(spark, landed_files(tmp_path), bronze, "2") == [wind]
    assert load(spark, landed_files(tmp_path), bronze, "3") == []
    assert counts(spark, bronze) == {"aa": 2, "bb": 1}


def test_a_load_is_one_commit(spark: SparkSession, bronze: str, tmp_path: Path) -> None:
    files = [land(tmp_path, source, source, "Chad,TCD,2020,0\n") for source in ("hydro", "wind")]
    load(spark, files, bronze, "1")
    assert spark.sql(f"SELECT * FROM {bronze} VERSION AS OF 0").count() == 0
    assert spark.sql(f"SELECT * FROM {bronze} VERSION AS OF 1").count() == 2
    assert spark.table(bronze).select("_loaded_at").distinct().count() == 1


def test_loads_at_once_append_each_content_once(
    spark: SparkSession, bronze: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    offered = [files[:4], files[2:], files, files]
    loaded = in_threads(lambda number: load(spark, offered[number], bronze, str(number)), 4)
    assert counts(spark, bronze) == {file.content_hash: 2 for file in files}
    assert loaded == offered


def test_a_load_that_cannot_write_fails(
    spark: SparkSession, bronze: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PySparkException("no space left")

    monkeypatch.setattr("renewables.load.append_files", fail)
    with pytest.raises(PySparkException, match="no space left"):
        load(spark, [land(tmp_path, "wind", "aa", "")], bronze, "1")


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
