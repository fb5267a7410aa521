"""Source files to gold, as the jobs chain it, compared with what pandas makes of the same files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from renewables.discover import discover
from renewables.extract import extract
from renewables.landing import landed_files
from renewables.load import load
from renewables.schemas import Schema
from renewables.silver import Refresh, refresh

pytestmark = pytest.mark.local_files

ROOT = Path(__file__).parents[2]
OWID = ROOT.parent / "shared" / "data" / "owid"
FIXTURE = ROOT / "fixtures" / "owid"

ComputeGold = Callable[[Schema], DataFrame]


@pytest.fixture
def run(
    spark: SparkSession, schema: Schema, compute_gold: ComputeGold, tmp_path: Path
) -> Callable[[Path], tuple[Refresh, pd.DataFrame]]:
    """Runs both jobs on a folder; what silver did, and gold by entity and year."""

    def run_once(source: Path) -> tuple[Refresh, pd.DataFrame]:
        for file in discover(str(source)):
            extract(file, tmp_path / "landing")
        load(spark, landed_files(tmp_path / "landing"), schema, "1")
        refreshed = refresh(spark, schema)
        return refreshed, compute_gold(schema).orderBy("entity", "year").toPandas()

    return run_once


def expected_gold(source: Path) -> pd.DataFrame:
    files = [
        pd.read_csv(source / f"share-electricity-{name}.csv", keep_default_na=False, na_values=[""])
        .set_axis(["entity", "code", "year", f"{name}_percent"], axis="columns")
        .set_index(["entity", "year"])
        for name in ("hydro", "solar", "wind")
    ]
    percents = pd.concat([file.drop(columns="code") for file in files], axis="columns")
    codes = pd.concat([file["code"] for file in files]).groupby(level=[0, 1]).first()
    gold = percents.assign(
        code=codes,
        shw_percent=percents.hydro_percent + percents.solar_percent + percents.wind_percent,
    )
    columns = ["entity", "code", "year", *percents.columns, "shw_percent"]
    return gold.reset_index().sort_values(["entity", "year"], ignore_index=True)[columns]


def test_the_fixture(run: Callable[[Path], tuple[Refresh, pd.DataFrame]]) -> None:
    refreshed, gold = run(FIXTURE)
    assert refreshed.rows_quarantined == 0
    assert_frame_equal(gold, expected_gold(FIXTURE), check_dtype=False, check_exact=True)
    assert {"Switzerland", "Norway", "Germany", "World"} <= set(gold["entity"])
    assert gold["shw_percent"].isna().any()
    assert gold["shw_percent"].max() <= 100


@pytest.mark.skipif(not OWID.exists(), reason=f"OWID's files are not at {OWID}")
def test_owid(run: Callable[[Path], tuple[Refresh, pd.DataFrame]]) -> None:
    refreshed, gold = run(OWID)
    assert refreshed == Refresh(19138, 19138, 0, quarantined_percent=0.0)
    assert len(gold) == 6380
    assert gold["entity"].nunique() == 232
    assert_frame_equal(gold, expected_gold(OWID), check_dtype=False, check_exact=True)
    again, same_gold = run(OWID)
    assert again == Refresh(0, 0, 0, quarantined_percent=0.0)
    assert_frame_equal(same_gold, gold, check_exact=True)


@pytest.mark.skipif(not OWID.exists(), reason=f"OWID's files are not at {OWID}")
def test_owid_after_two_revisions(
    run: Callable[[Path], tuple[Refresh, pd.DataFrame]], tmp_path: Path
) -> None:
    """The first drops, adds and changes values, the second brings some of them back; each counts alone."""
    source = tmp_path / "source"
    source.mkdir()
    revise(source, lambda percents: percents, day=1)
    run(source)
    revise(source, lambda percents: (percents / 2)[percents.index % 7 != 3], day=2)
    _, revised = run(source)
    assert_frame_equal(revised, expected_gold(source), check_dtype=False, check_exact=True)
    revise(source, lambda percents: (percents * 0.9)[percents.index % 11 != 5], day=3)
    refreshed, gold = run(source)
    assert refreshed.rows_quarantined == 0
    assert_frame_equal(gold, expected_gold(source), check_dtype=False, check_exact=True)
    assert not gold.equals(revised)


def revise(source: Path, change: Callable[[pd.Series[float]], pd.Series[float]], day: int) -> None:
    """OWID's files with other percents, as they have been at the source since that day."""
    for file in OWID.glob("*.csv"):
        rows = pd.read_csv(file, keep_default_na=False, na_values=[""])
        measure = rows.columns[3]
        percents = change(rows[measure]).round(6)
        revised = rows.loc[percents.index].assign(**{measure: percents})
        revised.to_csv(source / file.name, index=False)
        os.utime(source / file.name, (day * 86_400, day * 86_400))
