"""One country's report: a chart and a table of its SHW % per year."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.chart import draw, png
from renewables.errors import UnknownCountry
from renewables.files import write_whole
from renewables.schemas import Schema

GOLD = "gold_shw_share"


@dataclass(frozen=True)
class Report:
    """The files that were written, and what is in them: `years` has the columns of gold, one row per year."""

    chart: Path
    table: Path
    figure: Figure
    years: pd.DataFrame


def report(spark: SparkSession, schema: Schema, country: str, folder: Path) -> Report:
    """The report on `country`, written as `shw_<code>.png` and `.csv` to `folder`.

    Raises UnknownCountry with the closest names if gold has no such entity.
    """
    gold = spark.table(schema.table(GOLD))
    years: pd.DataFrame = gold.transform(of_country, country).toPandas()
    if years.empty:
        entities = gold.select("entity").distinct().collect()
        raise unknown_country(country, [row["entity"] for row in entities])
    figure = draw(years)
    name = file_name(country, years["code"].iloc[-1])
    chart, table = folder / f"{name}.png", folder / f"{name}.csv"
    write_whole(table, years.to_csv(index=False).encode())
    write_whole(chart, png(figure))
    return Report(chart, table, figure, years)


def of_country(gold: DataFrame, country: str) -> DataFrame:
    """The rows of one entity, by year."""
    return gold.where(F.col("entity") == country).orderBy("year")


def unknown_country(country: str, entities: Iterable[str]) -> UnknownCountry:
    closest = difflib.get_close_matches(country, sorted(entities), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(closest)}?" if closest else "see the entities in gold."
    return UnknownCountry(f"No source reports on '{country}' in {GOLD}: {hint}")


def file_name(entity: str, code: str | None) -> str:
    """`shw_<code>`, or `shw_<entity>` in lower case without a code; never more than one path part."""
    return "shw_" + re.sub(r"\W+", "-", code or entity.lower()).strip("-")
