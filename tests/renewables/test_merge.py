"""Silver brought to changes, beside another refresh."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from renewables.changes import CHANGES
from renewables.merge import merge
from renewables.newest import KEY
from renewables.schemas import SILVER, Schema
from renewables.span import Span
from renewables.staging import Rows, Staging

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rows(spark: SparkSession, values: dict[str, tuple[str, float]]) -> DataFrame:
    """Rows of silver, as {entity: (content hash, percent)}."""
    return spark.createDataFrame(
        [
            (entity, None, 2020, percent, "hydro", f"{file}.csv", file, NOON, NOON)
            for entity, (file, percent) in values.items()
        ],
        ", ".join(f"{column.name} {column.type}" for column in SILVER.columns),
    )


@pytest.mark.parametrize("are_few", [True, False])
def test_replaces_what_known_files_say_and_leaves_what_another_refresh_put(
    spark: SparkSession, schema: Schema, are_few: bool
) -> None:
    silver = schema.create(spark, SILVER)
    there = {"Chad": ("old", 1.0), "It's": ("old", 2.0), "Mali": ("meanwhile", 3.0)}
    rows(spark, {**there, "Peru": ("old", 4.0), "Togo": ("meanwhile", 5.0)}).writeTo(
        silver
    ).append()
    put = rows(spark, dict.fromkeys(("Chad", "Mali", "Niue"), ("new", 9.0)))
    gone = rows(spark, {"It's": ("old", 2.0), "Togo": ("old", 5.0)})
    changes = put.selectExpr("*", "false AS is_removed").unionByName(
        gone.selectExpr("*", "true AS is_removed")
    )
    known = Staging(spark, schema).keep(changes, CHANGES) if are_few else Rows(changes)
    for _ in range(2):  # the second time changes nothing
        merge(known, silver, {"old"}, Span.of(known, KEY))
        held = spark.table(silver).select("entity", "_content_hash").collect()
        assert sorted(map(tuple, held)) == [
            ("Chad", "new"),
            ("Mali", "meanwhile"),
            ("Niue", "new"),
            ("Peru", "old"),
            ("Togo", "meanwhile"),
        ]


@pytest.mark.parametrize("are_few", [True, False])
def test_a_span_holds_its_rows_and_nothing_beyond(
    spark: SparkSession, schema: Schema, are_few: bool
) -> None:
    def span(frame: DataFrame) -> str:
        known = Staging(spark, schema).keep(frame, SILVER.struct) if are_few else Rows(frame)
        return Span.of(known, KEY).condition(KEY)

    some = rows(spark, {"Chad": ("a", 1.0), "It's": ("a", 2.0)})
    others = rows(spark, dict.fromkeys(("Austria", "Chad", "Fiji", "Mali"), ("b", 1.0)))
    within = others.where(span(some)).select("entity").collect()
    assert sorted(row["entity"] for row in within) == ["Chad", "Fiji"]
    assert span(some.where("false")) == "false"
