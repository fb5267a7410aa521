from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pyarrow.parquet import read_metadata
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables import silver
from renewables.append import append_files
from renewables.errors import LostRows, OtherRefresh
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, SILVER, Schema, Tables
from renewables.silver import Refresh, refresh

BronzeRows = Callable[..., DataFrame]
Arrive = Callable[..., Refresh]
Values = dict[tuple[str, int], str]


def day(number: int, month: int = 1) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


@pytest.fixture
def arrive(spark: SparkSession, schema: Schema, bronze_rows: BronzeRows) -> Arrive:
    """A file of hydro arrives in bronze, by a load of its own, and silver is refreshed."""
    bronze = schema.create(spark, BRONZE)
    loads = count()

    def append_and_refresh(
        values: Values, name: str = "a.csv", modified: int = 1, source: str = "hydro"
    ) -> Refresh:
        content_hash = uuid4().hex
        rows = bronze_rows(
            *((entity, "XXX", str(year), percent) for (entity, year), percent in values.items()),
            source=source,
            _source_file=name,
            _content_hash=content_hash,
            _source_modified_at=day(modified),
            _loaded_at=day(1, month=2) + timedelta(seconds=next(loads)),
        )
        append_files(rows, bronze, [content_hash])
        return refresh(spark, schema)

    return append_and_refresh


@pytest.fixture
def values(spark: SparkSession, schema: Schema) -> Callable[[], dict[tuple[str, int], float]]:
    def rows() -> dict[tuple[str, int], float]:
        table = spark.table(schema.table(SILVER)).collect()
        return {(row["entity"], row["year"]): row["percent"] for row in table}

    return rows


ReadValues = Callable[[], dict[tuple[str, int], float]]
CHAD, MALI = ("Chad", 2020), ("Mali", 2020)


def test_counts_what_became_of_the_rows(arrive: Arrive) -> None:
    rows = {("Chad", year): "1" for year in range(2000, 2003)}
    warnings = {"percent is not reported": 1}
    assert arrive({**rows, ("", 2003): "1", MALI: ""}) == Refresh(5, 4, 1, 20.0, warnings)


def test_reads_only_what_is_new(spark: SparkSession, schema: Schema, arrive: Arrive) -> None:
    assert arrive({CHAD: "1", MALI: "x"}) == Refresh(2, 1, 1, 50.0)
    # Nothing new: the share of bad rows does not vanish by running the job again.
    assert refresh(spark, schema) == Refresh(0, 0, 0, 50.0)
    assert arrive({MALI: "2"}, modified=2) == Refresh(1, 1, 0, 0.0)


def test_the_watermark_moves_with_the_data(
    spark: SparkSession, schema: Schema, arrive: Arrive
) -> None:
    arrive({CHAD: "1"})
    table = schema.table(SILVER)
    assert spark.sql(f"SELECT * FROM {table} VERSION AS OF 0").count() == 0
    assert spark.sql(f"SELECT * FROM {table} VERSION AS OF 1").count() == 1
    assert (
        silver.watermark(spark, Tables.create(spark, schema))
        == day(1, month=2).timestamp() * 1_000_000
    )


@pytest.mark.parametrize(
    ("there", "percent", "modified"),
    [(None, "x", 1), ("1", "x", 3), ("1", "7", 1)],
    ids=["all in quarantine, the first", "all in quarantine", "older than what is there"],
)
def test_a_load_that_leaves_nothing_in_silver_is_read_once(
    spark: SparkSession,
    schema: Schema,
    arrive: Arrive,
    there: str | None,
    percent: str,
    modified: int,
) -> None:
    if there:
        arrive({CHAD: there}, name="b.csv", modified=2)
    assert arrive({CHAD: percent}, modified=modified).rows_read == 1
    assert refresh(spark, schema).rows_read == 0
    assert arrive({MALI: "2"}, modified=4).rows_read == 1


def test_a_revision_replaces_and_drops_values(arrive: Arrive, values: ReadValues) -> None:
    arrive({CHAD: "1", MALI: "5", ("Peru", 2020): "7"})
    arrive({CHAD: "2", MALI: ""}, modified=2)
    assert values() == {CHAD: 2.0, MALI: None}


def test_a_revision_says_nothing_of_other_files(arrive: Arrive, values: ReadValues) -> None:
    arrive({CHAD: "1"}, name="a.csv")
    arrive({MALI: "5"}, name="b.csv", modified=2)
    assert values() == {CHAD: 1.0, MALI: 5.0}


def test_a_revision_under_another_name_replaces_the_entities_that_it_lists(
    arrive: Arrive, values: ReadValues
) -> None:
    arrive({CHAD: "1", ("Chad", 2021): "2", MALI: "5"}, name="2024/hydro.csv", modified=2)
    arrive({CHAD: "3", ("Peru", 2020): "7"}, name="2025/hydro.csv", modified=3)
    assert values() == {CHAD: 3.0, MALI: 5.0, ("Peru", 2020): 7.0}
    # A late older file has no say in what the newer one lists.
    arrive({("Chad", 2019): "9", ("Togo", 2020): "8"}, name="2023/hydro.csv", modified=1)
    assert values() == {CHAD: 3.0, MALI: 5.0, ("Peru", 2020): 7.0, ("Togo", 2020): 8.0}


def test_a_dropped_value_leaves_that_of_another_file(arrive: Arrive, values: ReadValues) -> None:
    arrive({CHAD: "1"}, name="b.csv", modified=1)
    arrive({CHAD: "2", MALI: "5"}, name="a.csv", modified=2)
    arrive({MALI: "5"}, name="a.csv", modified=3)
    assert values() == {CHAD: 1.0, MALI: 5.0}


def test_a_value_that_breaks_a_rule_now_is_no_longer_known(
    spark: SparkSession, schema: Schema, arrive: Arrive, values: ReadValues
) -> None:
    arrive({CHAD: "1", MALI: "5"})
    assert arrive({CHAD: "101", MALI: "5"}, modified=2) == Refresh(2, 1, 1, 50.0)
    assert values() == {MALI: 5.0}
    (row,) = spark.table(schema.table(QUARANTINE)).collect()
    assert (row["percent"], row["reasons"]) == ("101", ["percent is not within 0-100"])


@pytest.mark.local_files
def test_a_revision_writes_its_own_rows_and_no_others(
    spark: SparkSession, schema: Schema, arrive: Arrive, values: ReadValues
) -> None:
    """So its cost does not grow with what silver has."""
    arrive({**{("Chad", year): "1" for year in range(1950, 2020)}, MALI: "5"})
    before = written(spark, schema)
    arrive({MALI: "6"}, name="b.csv", modified=2)
    assert values()[MALI] == 6.0
    new = [file for file in written(spark, schema) if file not in before]
    assert sum(read_metadata(file).num_rows for file in new) == 1


def written(spark: SparkSession, schema: Schema) -> list[Path]:
    """All data files that silver has or had."""
    details = spark.sql(f"DESCRIBE TABLE EXTENDED {schema.table(SILVER)}")
    location = details.where("col_name = 'Location'").first()
    assert location is not None
    return list(Path(urlsplit(location["data_type"]).path).glob("*.parquet"))


def test_a_late_older_revision_changes_nothing(arrive: Arrive, values: ReadValues) -> None:
    arrive({CHAD: "2"}, modified=2)
    arrive({CHAD: "1", MALI: "5"}, modified=1)
    assert values() == {CHAD: 2.0}


def test_rows_carry_their_revision(spark: SparkSession, schema: Schema, arrive: Arrive) -> None:
    arrive({CHAD: "1"})
    arrive({CHAD: "2"}, modified=2)
    newest = spark.table(schema.table(REVISIONS)).orderBy(F.desc("_source_modified_at")).first()
    row = spark.table(schema.table(SILVER)).first()
    assert newest is not None
    assert row is not None
    assert row["_content_hash"] == newest["_content_hash"]
    assert (newest["rows_read"], newest["rows_kept"], newest["rows_quarantined"]) == (1, 1, 0)


STEPS = ["append_rows", "append_files", "_write"]


@pytest.mark.parametrize("step", STEPS)
def test_what_was_killed_in_between_is_done_again(
    spark: SparkSession,
    schema: Schema,
    arrive: Arrive,
    values: ReadValues,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """Before and after each write."""
    write = getattr(silver, step)

    def killed_after(*args: object, **options: object) -> None:
        write(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(silver, step, killed)
        with pytest.raises(KeyboardInterrupt):
            arrive({CHAD: "1", MALI: "x"})
        patch.setattr(silver, step, killed_after)
        with pytest.raises(KeyboardInterrupt):
            refresh(spark, schema)
    assert refresh(spark, schema).quarantined_percent == 50.0
    assert values() == {CHAD: 1.0}
    for table in (QUARANTINE, REVISIONS):
        assert spark.table(schema.table(table)).count() == 1


def test_lost_rows_stop_the_run(
    arrive: Arrive, values: ReadValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver, "append_rows", lambda *_: None)
    with pytest.raises(
        LostRows, match=r"Of 2 rows in bronze 2 were read, 1 are valid and 0 are in"
    ):
        arrive({CHAD: "1", MALI: "x"})
    assert values() == {}


def test_two_refreshes_at_once_lose_nothing(
    spark: SparkSession,
    schema: Schema,
    arrive: Arrive,
    values: ReadValues,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that would replace all of hydro sees that another has read more files than it knows of."""
    arrive({CHAD: "1"})
    check = silver._quarantine

    def overtaken(*args: Any) -> None:
        check(*args)
        monkeypatch.undo()
        arrive({MALI: "3"}, "b.csv")

    monkeypatch.setattr(silver, "_quarantine", overtaken)
    with pytest.raises(OtherRefresh, match=r"^Another refresh brings b\.csv to silver"):
        arrive({CHAD: "2"}, modified=2)
    assert values() == {CHAD: 2.0, MALI: 3.0}
    assert refresh(spark, schema).rows_read == 0


def test_a_revision_of_all_files_of_a_source_replaces_its_rows(
    spark: SparkSession, schema: Schema, arrive: Arrive
) -> None:
    arrive({CHAD: "1", MALI: "2"})
    arrive({MALI: "9"}, "s.csv", source="solar")
    arrive({MALI: "3"}, modified=2)
    rows = spark.table(schema.table(SILVER)).select("entity", "source", "percent").collect()
    assert {tuple(row) for row in rows} == {("Mali", "solar", 9.0), ("Mali", "hydro", 3.0)}


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
