from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files
from renewables.schemas import BRONZE, QUARANTINE, SILVER, Schema
from renewables.silver import (
    Refresh,
    broken,
    has_repeats,
    newest,
    refresh,
    valid,
    with_occurrence,
    with_reasons,
    with_types,
)

BronzeRows = Callable[..., DataFrame]


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def test_types_what_has_a_value_of_the_type(spark: SparkSession, bronze_rows: BronzeRows) -> None:
    rows = bronze_rows(
        (" Chad ", "", "2020", " 1.5 "),
        ("", "TCD", "2020.5", "1,5"),
        (None, None, "x", "1e999"),
        ("Chad", " TCD", None, None),
    )
    expected = spark.createDataFrame(
        [
            ("Chad", None, 2020, 1.5),
            (None, "TCD", None, None),
            (None, None, None, float("inf")),
            ("Chad", "TCD", None, None),
        ],
        "entity STRING, code STRING, year INT, percent DOUBLE",
    )
    typed = rows.transform(with_types).orderBy("_position").select("typed.*")
    assert_df_equality(typed, expected, ignore_nullable=True)


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        (("Chad", "TCD", "2020", "0"), []),
        (("Chad", None, "1900", "100"), []),
        (("Chad", "TCD", "2100", None), []),
        (("Chad", "TCD", "2020", " "), []),
        ((" ", "TCD", "2020", "1"), ["entity is missing"]),
        (("Chad", "TCD", "1899", "1"), ["year is not within 1900-2100"]),
        (("Chad", "TCD", "2101", "1"), ["year is not within 1900-2100"]),
        (("Chad", "TCD", "MMXX", "1"), ["year is not within 1900-2100"]),
        (("Chad", "TCD", None, "1"), ["year is not within 1900-2100"]),
        (("Chad", "TCD", "2020", "1,5"), ["percent is not a number"]),
        (("Chad", "TCD", "2020", "-0.1"), ["percent is not within 0-100"]),
        (("Chad", "TCD", "2020", "100.1"), ["percent is not within 0-100"]),
        (("Chad", "TCD", "2020", "1e999"), ["percent is not within 0-100"]),
        (("Chad", "TCD", "2020", "NaN"), ["percent is not within 0-100"]),
        ((None, None, "0", "x"), ["entity is missing", "year is not within 1900-2100", "percent is not a number"]),
    ],
)  # fmt: skip
def test_gives_all_reasons(
    bronze_rows: BronzeRows, row: tuple[str | None, ...], reasons: list[str]
) -> None:
    checked = bronze_rows(row).transform(with_types).transform(with_occurrence)
    found = checked.transform(with_reasons).first()
    assert found is not None
    assert found["reasons"] == reasons


def test_only_the_first_value_in_a_file_counts(bronze_rows: BronzeRows) -> None:
    one = bronze_rows(("Chad", "TCD", "2020", "1"), (" Chad", "TCD", "2020", "2"))
    other = bronze_rows(("Chad", "TCD", "2020", "3"), _content_hash="bbbb")
    checked = (
        one.union(other).transform(with_types).transform(with_occurrence).transform(with_reasons)
    )
    assert sorted(row["percent"] for row in checked.transform(valid).collect()) == [1.0, 3.0]
    second = checked.transform(broken).collect()
    assert [(row["percent"], row["reasons"]) for row in second] == [
        ("2", ["second value for the entity and year in one file"])
    ]


def test_splits_rows_without_loss(spark: SparkSession, bronze_rows: BronzeRows) -> None:
    rows = bronze_rows(("Chad", "TCD", "2020", "1.5"), ("Chad", "TCD", "2021", "x"))
    checked = rows.transform(with_types).transform(with_occurrence).transform(with_reasons)
    kept, rejected = checked.transform(valid), checked.transform(broken)
    assert kept.columns == SILVER.column_names
    assert rejected.columns == QUARANTINE.column_names
    expected = spark.createDataFrame(
        [("Chad", "TCD", 2020, 1.5)], "entity STRING, code STRING, year INT, percent DOUBLE"
    )
    assert_df_equality(
        kept.select("entity", "code", "year", "percent"), expected, ignore_nullable=True
    )
    raw = rejected.select("entity", "code", "year", "percent", "_position", "_content_hash")
    assert [tuple(row) for row in raw.collect()] == [("Chad", "TCD", "2021", "x", 1, "aaaa")]


def test_tells_whether_a_key_has_several_rows(bronze_rows: BronzeRows) -> None:
    chad = ("Chad", "TCD", "2020", "1")
    once = bronze_rows(chad, ("Chad", "TCD", "2021", "1"))
    solar = bronze_rows(chad, source="solar")
    assert not has_repeats(once.union(solar).transform(with_types))
    assert has_repeats(once.union(bronze_rows(chad, _content_hash="b")).transform(with_types))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ((day(3), day(5)), (day(2), day(9))),
        ((day(3), day(6)), (day(3), day(5))),
    ],
    ids=["by the source's time", "by arrival if that is equal"],
)
def test_keeps_the_newest_revision(
    bronze_rows: BronzeRows,
    newer: tuple[datetime, datetime],
    older: tuple[datetime, datetime],
) -> None:
    revisions = [
        bronze_rows(
            ("Chad", "TCD", "2020", percent),
            _content_hash=percent,
            _source_modified_at=modified_at,
            _loaded_at=loaded_at,
        )
        for percent, (modified_at, loaded_at) in {"1": older, "2": newer}.items()
    ]
    for one, other in permutations(revisions):
        typed = one.union(other).transform(with_types).transform(with_occurrence)
        kept = typed.transform(with_reasons).transform(valid).transform(newest)
        assert [row["percent"] for row in kept.collect()] == [2.0]


class TestRefresh:
    """Silver and quarantine after loads that arrive one by one."""

    @pytest.fixture
    def arrive(self, spark: SparkSession, schema: Schema) -> Callable[[DataFrame], Refresh]:
        bronze = schema.create(spark, BRONZE)

        def append_and_refresh(rows: DataFrame) -> Refresh:
            append_files(rows, bronze)
            return refresh(spark, schema)

        return append_and_refresh

    @pytest.fixture
    def silver(self, spark: SparkSession, schema: Schema) -> Callable[[], set[tuple[object, ...]]]:
        def rows() -> set[tuple[object, ...]]:
            table = spark.table(schema.table(SILVER))
            return {tuple(r) for r in table.select("entity", "year", "percent").collect()}

        return rows

    def test_counts_what_became_of_the_rows(
        self, arrive: Callable[[DataFrame], Refresh], bronze_rows: BronzeRows
    ) -> None:
        rows = [("Chad", "TCD", str(year), "1") for year in range(2000, 2003)]
        assert arrive(bronze_rows(*rows, ("", "TCD", "2003", "1"))) == Refresh(4, 1, 25.0)

    def test_reads_only_what_is_new(
        self, arrive: Callable[[DataFrame], Refresh], bronze_rows: BronzeRows
    ) -> None:
        first = bronze_rows(("Chad", "TCD", "2020", "1"), ("Chad", "TCD", "2021", "x"))
        assert arrive(first) == Refresh(2, 1, 50.0)
        # Nothing new: the share of bad rows does not vanish by running the job again.
        assert arrive(first) == Refresh(0, 0, 50.0)
        revision = bronze_rows(
            ("Chad", "TCD", "2021", "2"),
            _content_hash="bbbb",
            _source_modified_at=day(2),
            _loaded_at=datetime(2026, 2, 2, tzinfo=UTC),
        )
        assert arrive(revision) == Refresh(1, 0, 0.0)

    def test_a_late_older_revision_changes_nothing(
        self,
        arrive: Callable[[DataFrame], Refresh],
        silver: Callable[[], set[tuple[object, ...]]],
        bronze_rows: BronzeRows,
    ) -> None:
        arrive(bronze_rows(("Chad", "TCD", "2020", "2"), _source_modified_at=day(2)))
        late = bronze_rows(
            ("Chad", "TCD", "2020", "1"),
            _content_hash="bbbb",
            _source_modified_at=day(1),
            _loaded_at=datetime(2026, 2, 2, tzinfo=UTC),
        )
        arrive(late)
        assert silver() == {("Chad", 2020, 2.0)}

    def test_a_revision_replaces_a_value(
        self,
        arrive: Callable[[DataFrame], Refresh],
        silver: Callable[[], set[tuple[object, ...]]],
        bronze_rows: BronzeRows,
    ) -> None:
        arrive(bronze_rows(("Chad", "TCD", "2020", "1"), ("Mali", "MLI", "2020", "5")))
        revision = bronze_rows(
            ("Chad", "TCD", "2020", "2"),
            ("Mali", "MLI", "2020", ""),
            _content_hash="bbbb",
            _source_modified_at=day(2),
            _loaded_at=datetime(2026, 2, 2, tzinfo=UTC),
        )
        arrive(revision)
        assert silver() == {("Chad", 2020, 2.0), ("Mali", 2020, None)}

    def test_what_was_killed_in_between_is_done_again(
        self,
        spark: SparkSession,
        schema: Schema,
        arrive: Callable[[DataFrame], Refresh],
        bronze_rows: BronzeRows,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        rows = bronze_rows(("Chad", "TCD", "2020", "1"), ("Chad", "TCD", "2021", "x"))
        with monkeypatch.context() as patch:
            patch.setattr("renewables.silver.merge_newest", _killed)
            with pytest.raises(KeyboardInterrupt):
                arrive(rows)
        assert refresh(spark, schema) == Refresh(2, 1, 50.0)
        assert spark.table(schema.table(SILVER)).count() == 1
        assert spark.table(schema.table(QUARANTINE)).agg(F.count("*")).first() == (1,)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
