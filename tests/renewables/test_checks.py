from __future__ import annotations

from collections.abc import Callable

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.checks import check, valid, with_types
from renewables.schemas import QUARANTINE, SILVER
from renewables.survey import Survey, Verdict

BronzeRows = Callable[..., DataFrame]


def checked(rows: DataFrame) -> DataFrame:
    return check(rows.transform(with_types), has_repeats=True)


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
    found = checked(bronze_rows(row)).first()
    assert found is not None
    assert found["reasons"] == reasons


def test_only_the_first_value_in_a_file_counts(bronze_rows: BronzeRows) -> None:
    one = bronze_rows(("Chad", "TCD", "2020", "1"), (" Chad", "TCD", "2020", "2"))
    other = bronze_rows(("Chad", "TCD", "2020", "3"), _content_hash="bbbb")
    rows = checked(one.union(other))
    assert sorted(row["percent"] for row in rows.transform(valid).collect()) == [1.0, 3.0]
    second = rows.where("NOT is_valid").collect()
    assert [(row["percent"], row["reasons"]) for row in second] == [
        ("2", ["second value for the entity and year in one file"])
    ]


def test_splits_rows_without_loss(spark: SparkSession, bronze_rows: BronzeRows) -> None:
    rows = bronze_rows(("Chad", "TCD", "2020", "1.5"), ("Chad", "TCD", "2021", "x"))
    kept, rejected = checked(rows).transform(valid), checked(rows).where("NOT is_valid")
    assert kept.columns == SILVER.column_names
    assert set(QUARANTINE.column_names) <= set(rejected.columns)
    expected = spark.createDataFrame(
        [("Chad", "TCD", 2020, 1.5)], "entity STRING, code STRING, year INT, percent DOUBLE"
    )
    assert_df_equality(
        kept.select("entity", "code", "year", "percent"), expected, ignore_nullable=True
    )
    raw = rejected.select("entity", "code", "year", "percent", "_position", "_content_hash")
    assert [tuple(row) for row in raw.collect()] == [("Chad", "TCD", "2021", "x", 1, "aaaa")]


def test_surveys_what_needs_more_work(bronze_rows: BronzeRows) -> None:
    chad = ("Chad", "TCD", "2020", "60")
    once = bronze_rows(chad, ("Chad", "TCD", "2021", "60"), ("", "", "x", "1"))

    def survey(rows: DataFrame, is_current: bool = True) -> Survey:
        return Survey.of(check(rows.transform(with_types)), F.lit(is_current))

    none = {"percent is not reported": 0}
    assert survey(once) == Survey(3, 1, none, has_repeats=False, exceeds=False)
    again = bronze_rows(chad, _content_hash="b")
    repeated = Survey(4, 1, none, has_repeats=True, exceeds=False)
    assert survey(once.union(again), is_current=False) == repeated
    solar = bronze_rows(chad, source="solar")
    assert survey(once.union(solar)) == Survey(4, 1, none, has_repeats=False, exceeds=True)
    silent = bronze_rows(("Chad", "TCD", "2022", ""), ("Mali", "MLI", "2022", None))
    warned = {"percent is not reported": 2}
    assert survey(silent) == Survey(2, 0, warned, has_repeats=False, exceeds=False)


def test_a_verdict_counts_the_rows_of_each_file(bronze_rows: BronzeRows) -> None:
    fine = bronze_rows(("Chad", "TCD", "2020", "60"), ("Chad", "TCD", "2021", ""))
    twice = bronze_rows(*[("Mali", "MLI", "2020", "")] * 3, _content_hash="b")
    for rows, verdict in (
        (fine, Verdict({}, {"percent is not reported": 1})),
        (fine.union(twice), Verdict({"aaaa": 0, "b": 2}, {"percent is not reported": 2})),
    ):
        survey = Survey.of(check(rows.transform(with_types)), F.lit(True))
        assert Verdict.of(checked(rows), survey) == verdict
        assert survey.is_clean == (not verdict.broken)
