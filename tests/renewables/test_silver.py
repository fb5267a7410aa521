from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables import silver
from renewables.append import append_files
from renewables.errors import LostRows
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, SILVER, Schema
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
    assert silver.watermark(spark.table(table)) == day(1, month=2).timestamp() * 1_000_000


def test_a_revision_replaces_and_drops_values(arrive: Arrive, values: ReadValues) -> None:
    arrive({CHAD: "1", MALI: "5", ("Peru", 2020): "7"})
    arrive({CHAD: "2", MALI: ""}, modified=2)
    assert values() == {CHAD: 2.0, MALI: None}


def test_a_revision_says_nothing_of_other_files(arrive: Arrive, values: ReadValues) -> None:
    arrive({CHAD: "1"}, name="a.csv")
    arrive({MALI: "5"}, name="b.csv", modified=2)
    assert values() == {CHAD: 1.0, MALI: 5.0}


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


FILES = st.lists(
    st.tuples(
        st.sampled_from(["a.csv", "b.csv"]),
        st.dictionaries(
            st.sampled_from([CHAD, MALI]), st.sampled_from(["1", "2", "x"]), min_size=1
        ),
    ),
    min_size=3,
    max_size=3,
)


def expected(files: list[tuple[str, Values]]) -> dict[tuple[str, int], float]:
    """What silver has to be, for files in the order in which the source made them."""
    current = {name: number for number, (name, _) in enumerate(files)}
    result: dict[tuple[str, int], float] = {}
    for number in sorted(current.values()):
        for key, percent in files[number][1].items():
            if percent != "x":
                result[key] = float(percent)
    return result


@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=FILES, data=st.data())
def test_files_in_any_order_end_in_the_same_table(
    arrive: Arrive, values: ReadValues, files: list[tuple[str, Values]], data: st.DataObject
) -> None:
    # The examples share a schema: each has addresses and entities of its own.
    example = uuid4().hex
    for number in data.draw(st.permutations(range(len(files)))):
        name, rows = files[number]
        own = {(f"{entity} {example}", year): text for (entity, year), text in rows.items()}
        arrive(own, name=f"{example}/{name}", modified=number + 1)
    assert {
        (entity.removesuffix(f" {example}"), year): percent
        for (entity, year), percent in values().items()
        if entity.endswith(example)
    } == expected(files)


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


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
