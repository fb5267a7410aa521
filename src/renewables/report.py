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

from renewables.chart import draw, draw_overview, png
from renewables.errors import UnknownCountry
from renewables.files import write_whole
from renewables.gold import GOLD
from renewables.schemas import SILVER, Schema

WORLD = "World"
OVERVIEW_ENTITIES = 25


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
    rows = spark.table(schema.table(SILVER)).transform(of_country, country)
    figure = draw(years, origin(rows))
    return _write(years, figure, folder / file_name(country, years["code"].iloc[-1]))


def overview(spark: SparkSession, schema: Schema, folder: Path) -> Report:
    """The countries with the highest SHW %, and World, in the last year that is known for World or else at all.

    Regions, which have no code and overlap with countries, are left out.
    Written as `shw_overview.png` and `.csv` to `folder`.
    """
    known = spark.table(schema.table(GOLD)).where("shw_percent IS NOT NULL")
    is_world = F.col("entity") == WORLD
    last = F.coalesce(F.max(F.when(is_world, F.col("year"))), F.max("year"))
    row = known.agg(last.alias("year")).first()
    if row is None or row["year"] is None:
        raise UnknownCountry(f"No entity has a SHW % in {GOLD}: load hydro, solar and wind.")
    year = known.where(F.col("year") == row["year"]).orderBy(F.desc("shw_percent"), "entity")
    is_country = ~is_world & F.col("code").isNotNull()
    best = year.where(is_country).limit(OVERVIEW_ENTITIES).unionByName(year.where(is_world))
    rows = spark.table(schema.table(SILVER)).where(F.col("year") == row["year"])
    shown: pd.DataFrame = best.toPandas()
    shown = shown.sort_values("shw_percent", ascending=False, ignore_index=True)
    return _write(shown, draw_overview(shown, origin(rows)), folder / "shw_overview")


def origin(silver: DataFrame) -> str:
    """One sentence: the files that the rows come from, and when the newest of them last changed."""
    date = F.date_format(F.max("_source_modified_at"), "yyyy-MM-dd")
    addresses = F.sort_array(F.collect_set("_source_file"))
    row = silver.agg(addresses.alias("files"), date.alias("date")).first()
    assert row is not None
    # A query says how to download a file, and may be long.
    files = [file.partition("?")[0] if "://" in file else file for file in row["files"]]
    folders = sorted({_short(file.rpartition("/")[0]) for file in files})
    names = ", ".join(file.rpartition("/")[2] for file in files)
    return f"Source: {names} of {', '.join(folders)}, as of {row['date']}."


def _short(folder: str) -> str:
    """The host and path of a URL; the last part of a path, whose others tell nothing elsewhere."""
    return folder.partition("://")[2] if "://" in folder else folder.rpartition("/")[2]


def _write(rows: pd.DataFrame, figure: Figure, name: Path) -> Report:
    chart, table = name.with_name(f"{name.name}.png"), name.with_name(f"{name.name}.csv")
    # 18.3 + 0.7 is a little more or less than 19 to a machine, and nobody wants to read that.
    rows = rows.round(9)
    safe = rows.assign(**{column: rows[column].map(_as_text) for column in ("entity", "code")})
    write_whole(table, safe.to_csv(index=False).encode())
    write_whole(chart, png(figure))
    return Report(chart, table, figure, rows)


def _as_text(value: str | None) -> str | None:
    """With a quote before what a spreadsheet would run as a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{value}" if value and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


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
