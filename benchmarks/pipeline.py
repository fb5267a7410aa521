"""The whole pipeline at 9 million rows: on Sail, on Spark + Delta, and against one Polars pass.

`python benchmarks/pipeline.py [rows] [--spark]`. It generates the CSVs, runs extract, load, silver and
gold through databricks-connect, then a revised file of 0.1 % of the rows, and prints seconds and ratios.
Spark needs Java 17 and takes minutes, so it is measured only where asked for.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from databricks.connect import DatabricksSession
from pyarrow import csv
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "tests/local_workspace", "scripts")]

from parity import spark_server  # noqa: E402
from serving import session_on_sail  # noqa: E402

from local_workspace.sql.parameters import Parameter, bind  # noqa: E402
from local_workspace.sql.script import split  # noqa: E402
from renewables.discover import discover  # noqa: E402
from renewables.extract import extract  # noqa: E402
from renewables.landing import landed_files  # noqa: E402
from renewables.load import load  # noqa: E402
from renewables.schemas import Schema  # noqa: E402
from renewables.silver import refresh  # noqa: E402

YEARS = 200
SOURCES = ("hydro", "solar", "wind")


def generate(
    folder: Path, entities: int, sources: tuple[str, ...] = SOURCES, seed: int = 1
) -> None:
    """CSVs with OWID's columns: that many invented entities, 200 years, random percents."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    which = pa.array(np.repeat(np.arange(entities), YEARS))
    names = pa.array([f"Entity {number:06}" for number in range(entities)]).take(which)
    codes = pa.array([f"E{number:06}" for number in range(entities)]).take(which)
    years = np.tile(np.arange(1901, 1901 + YEARS), entities)
    for source in sources:
        percents = np.round(random.random(len(years)) * 33, 3)
        columns = ["Entity", "Code", "Year", f"{source.capitalize()} (% electricity)"]
        table = pa.Table.from_arrays([names, codes, pa.array(years), pa.array(percents)], columns)
        options = csv.WriteOptions(quoting_style="none")
        csv.write_csv(table, folder / f"share-electricity-{source}.csv", options)


def run(spark: SparkSession, schema: Schema, source: Path, landing: Path) -> dict[str, float]:
    """The seconds of each step of both jobs."""

    def gold() -> None:
        parameters = {"catalog": Parameter(schema.catalog), "schema": Parameter(schema.name)}
        for statement in split((ROOT / "sql" / "gold.sql").read_text()):
            spark.sql(bind(statement, parameters))

    steps: dict[str, Callable[[], object]] = {
        "extract": lambda: [extract(file, landing) for file in discover(str(source))],
        "load": lambda: load(spark, landed_files(landing), schema, "1"),
        "silver": lambda: refresh(spark, schema),
        "gold": gold,
    }
    return {name: _seconds(step) for name, step in steps.items()}


def measure(name: str, spark: SparkSession, catalog: str, full: Path, revised: Path) -> float:
    """Prints the seconds of the full load and of the revised file; those of the full load."""
    with tempfile.TemporaryDirectory() as folder:
        schema = Schema(catalog, "benchmark")
        spark.sql(f"CREATE SCHEMA {catalog}.benchmark")
        first = run(spark, schema, full, Path(folder))
        second = run(spark, schema, revised, Path(folder))
        spark.sql(f"DROP SCHEMA {catalog}.benchmark CASCADE")
    total, again = sum(first.values()), sum(second.values())
    print(f"{name}: {total:.1f} s {_shown(first)}")
    print(f"{name}, a file of 0.1 %: {again:.1f} s = {100 * again / total:.0f} % {_shown(second)}")
    return total


def polars_seconds(full: Path, target: Path) -> float:
    command = ["uv", "run", "--no-project", "--with", "polars", "--with", "deltalake", "python"]
    script = [str(ROOT / "benchmarks" / "_polars.py"), str(full), str(target)]
    return float(subprocess.run([*command, *script], check=True, capture_output=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=9_000_000)
    parser.add_argument("--spark", action="store_true", help="measure Spark + Delta as well")
    given = parser.parse_args()
    entities = given.rows // len(SOURCES) // YEARS
    with tempfile.TemporaryDirectory() as folder:
        full, revised = Path(folder, "full"), Path(folder, "revised")
        generate(full, entities)
        generate(revised, max(1, given.rows // 1000 // YEARS), ("wind",), seed=2)
        polars = polars_seconds(full, Path(folder, "polars"))
        print(f"Polars: {polars:.1f} s")
        with session_on_sail(Path(folder, "state")) as spark:
            seconds = measure("Sail", spark, "main", full, revised)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"Sail / Polars = {seconds / polars:.1f}; this process peaked at {peak:.0f} MB")
        if given.spark:
            with spark_server() as remote:
                session = DatabricksSession.builder.remote(remote).create()
                slow = measure("Spark", session, "spark_catalog", full, revised)
            print(f"Spark / Sail = {slow / seconds:.1f}")


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _shown(steps: dict[str, float]) -> str:
    return "(" + ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items()) + ")"


if __name__ == "__main__":
    main()
