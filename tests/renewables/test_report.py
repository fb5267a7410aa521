from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_array_equal
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from renewables.chart import COLOURS, GAPS, draw, png
from renewables.errors import UnknownCountry
from renewables.report import file_name, overview, report
from renewables.schemas import SILVER, Schema

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
    fill_silver(spark, schema)
    return schema


def fill_silver(spark: SparkSession, schema: Schema) -> None:
    """Where the values came from; which ones they are does not matter here."""
    rows = [("Chad", 2020, file) for file in ("s3://b/csv/wind.csv", "s3://b/csv/hydro.csv")]
    silver = spark.createDataFrame(rows, "entity STRING, year INT, _source_file STRING")
    modified_at = F.timestamp_micros(F.lit(1_700_000_000_000_000))
    empty = {
        column.name: F.lit(None).cast(column.type)
        for column in SILVER.columns
        if column.name not in silver.columns
    }
    rows_of_silver = silver.withColumns({**empty, "_source_modified_at": modified_at})
    table = schema.create(spark, SILVER)
    rows_of_silver.select(*SILVER.column_names).writeTo(table).append()


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
    axes = draw(years, "Source: a.csv.").axes[0]
    points = axes.lines[0].get_xydata()
    assert_array_equal(points, [(2020, 13.0), (2021, math.nan), (2022, math.nan), (2023, 17.0)])
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
    assert math.isnan(heights["hydro"][1])
    assert math.isnan(heights["wind"][2])
    assert heights["hydro"][2] == 11.0


def test_sources_are_stacked_in_distinct_colours(years: pd.DataFrame) -> None:
    figure = draw(years, "Source: a.csv.")
    last = [bars[3] for bars in figure.axes[0].containers]
    assert [(bar.get_y(), bar.get_height()) for bar in last] == [(0, 12), (12, 3), (15, 2)]
    assert len(set(COLOURS.values())) == 3
    assert figure.get_supxlabel() == f"Source: a.csv. {GAPS}"


def test_colours_differ_in_grey() -> None:
    """By the luma of ITU-R BT.601, as grey printers and screens have it."""
    greys = sorted(
        float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114))) for colour in COLOURS.values()
    )
    assert all(lighter - darker > 0.15 for darker, lighter in pairwise(greys))


def test_the_footer_has_source_and_date(spark: SparkSession, gold: Schema, tmp_path: Path) -> None:
    footer = report(spark, gold, "Chad", tmp_path).figure.get_supxlabel()
    assert footer == f"Source: hydro.csv, wind.csv of b/csv, as of 2023-11-14. {GAPS}"


def test_the_overview_ranks_entities(spark: SparkSession, gold: Schema, tmp_path: Path) -> None:
    result = overview(spark, gold, tmp_path)
    assert result.chart.name == "shw_overview.png"
    assert result.table.read_text().splitlines()[1:] == ["Chad,TCD,2023,12.0,2.0,3.0,17.0"]
    table = gold.table("gold_shw_share")
    spark.sql(f"INSERT INTO {table} VALUES ('World', 'OWID_WRL', 2020, 1.0, 1.0, 3.0, 5.0)")
    years = overview(spark, gold, tmp_path).years
    assert list(zip(years["entity"], years["shw_percent"], strict=True)) == [
        ("Chad", 13.0),
        ("World", 5.0),
        ("Mali", 3.0),
    ]


def test_no_cell_is_a_formula(spark: SparkSession, gold: Schema, tmp_path: Path) -> None:
    table = gold.table("gold_shw_share")
    spark.sql(f"INSERT INTO {table} VALUES ('=1+1', '@x', 2020, 1.0, 1.0, 3.0, 5.0)")
    lines = report(spark, gold, "=1+1", tmp_path).table.read_text().splitlines()
    assert lines[1] == "'=1+1,'@x,2020,1.0,1.0,3.0,5.0"


def test_the_same_years_give_the_same_chart(years: pd.DataFrame) -> None:
    assert png(draw(years, "Source: a.csv.")) == png(draw(years, "Source: a.csv."))


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
