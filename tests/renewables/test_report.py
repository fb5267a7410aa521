from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pyspark.sql import SparkSession

from renewables.chart import COLOURS, FOOTER, draw, png
from renewables.errors import UnknownCountry
from renewables.report import file_name, report
from renewables.schemas import Schema

TYPES = {
    "entity": "STRING",
    "code": "STRING",
    "year": "INT",
    **{f"{name}_percent": "DOUBLE" for name in ("hydro", "solar", "wind", "shw")},
}
# 2021 is missing as a whole, and wind in 2022.
CHAD = [
    ("Chad", "TCD", 2020, 10.0, 1.0, 2.0, 13.0),
    ("Chad", "TCD", 2022, 11.0, 1.5, None, None),
    ("Chad", "TCD", 2023, 12.0, 2.0, 3.0, 17.0),
]


@pytest.fixture
def years() -> pd.DataFrame:
    return pd.DataFrame(CHAD, columns=list(TYPES))


@pytest.fixture
def gold(spark: SparkSession, schema: Schema) -> Schema:
    types = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    others = [("Mali", "MLI", 2020, 1.0, 1.0, 1.0, 3.0), ("Chile", "CHL", 2020, *[None] * 4)]
    table = schema.table("gold_shw_share")
    spark.sql(f"CREATE TABLE {table} ({types}) USING DELTA")
    spark.createDataFrame([*others, *reversed(CHAD)], types).writeTo(table).append()
    return schema


def test_writes_a_chart_and_a_table(spark: SparkSession, gold: Schema, tmp_path: Path) -> None:
    result = report(spark, gold, "Chad", tmp_path / "reports")
    assert sorted((tmp_path / "reports").iterdir()) == [result.table, result.chart]
    assert (result.table.name, result.chart.name) == ("shw_TCD.csv", "shw_TCD.png")
    assert result.chart.read_bytes().startswith(b"\x89PNG")
    assert result.table.read_text().splitlines() == [
        "entity,code,year,hydro_percent,solar_percent,wind_percent,shw_percent",
        "Chad,TCD,2020,10.0,1.0,2.0,13.0",
        "Chad,TCD,2022,11.0,1.5,,",
        "Chad,TCD,2023,12.0,2.0,3.0,17.0",
    ]


def test_names_the_closest_countries(spark: SparkSession, gold: Schema, tmp_path: Path) -> None:
    with pytest.raises(UnknownCountry) as error:
        report(spark, gold, "Chda", tmp_path)
    assert str(error.value) == ("No source reports on 'Chda' in gold_shw_share: did you mean Chad?")
    with pytest.raises(UnknownCountry, match=r"'Zzz' in gold_shw_share: see the entities in gold"):
        report(spark, gold, "Zzz", tmp_path)


def test_missing_years_are_gaps(years: pd.DataFrame) -> None:
    axes = draw(years).axes[0]
    points = axes.lines[0].get_xydata()
    assert_array_equal(points, [(2020, 13.0), (2021, math.nan), (2022, math.nan), (2023, 17.0)])
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
    assert math.isnan(heights["hydro"][1])
    assert math.isnan(heights["wind"][2])
    assert heights["hydro"][2] == 11.0


def test_sources_are_stacked_in_distinct_colours(years: pd.DataFrame) -> None:
    figure = draw(years)
    last = [bars[3] for bars in figure.axes[0].containers]
    assert [(bar.get_y(), bar.get_height()) for bar in last] == [(0, 12), (12, 3), (15, 2)]
    assert len(set(COLOURS.values())) == 3
    assert figure.get_supxlabel() == FOOTER


def test_the_same_years_give_the_same_chart(years: pd.DataFrame) -> None:
    assert png(draw(years)) == png(draw(years))


@pytest.mark.parametrize(
    ("entity", "code", "name"),
    [
        ("World", "OWID_WRL", "shw_OWID_WRL"),
        ("Asia (Ember)", None, "shw_asia-ember"),
        ("Zürich", "", "shw_zürich"),
        ("x", "../../etc", "shw_etc"),
    ],
)
def test_a_file_name_is_one_path_part(entity: str, code: str | None, name: str) -> None:
    assert file_name(entity, code) == name
