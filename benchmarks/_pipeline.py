"""What pipeline.py measures: the steps of both jobs, on the engine at a sc:// URL, in a process as a task's.

`python _pipeline.py REMOTE CATALOG FOLDER...` runs them for one folder after the other, and prints
{"runs": [{step: seconds}, ...], "megabytes": this process' peak}.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from databricks.connect import DatabricksSession
from pyspark.sql import SparkSession

from renewables import gold
from renewables.discover import discover
from renewables.extract import extract
from renewables.landing import landed_files
from renewables.load import load
from renewables.schemas import Schema
from renewables.silver import refresh


def main(remote: str, catalog: str, *folders: str) -> None:
    spark = DatabricksSession.builder.remote(remote).create()
    schema = Schema(catalog, "benchmark")
    spark.sql(f"CREATE SCHEMA {catalog}.benchmark")
    with tempfile.TemporaryDirectory() as landing:
        runs = [run(spark, schema, folder, Path(landing)) for folder in folders]
    spark.sql(f"DROP SCHEMA {catalog}.benchmark CASCADE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"runs": runs, "megabytes": peak}))


def run(spark: SparkSession, schema: Schema, source: str, landing: Path) -> dict[str, float]:
    """The seconds of each step of both jobs."""
    sql = gold.GOLD_SQL.read_text(encoding="utf-8")
    steps: dict[str, Callable[[], object]] = {
        "extract": lambda: extract_all(source, landing),
        "load": lambda: load(spark, landed_files(landing), schema, "1"),
        "silver": lambda: refresh(spark, schema),
        "gold": lambda: gold.compute(spark, schema, sql, gold.outdated(spark, schema)),
    }
    return {name: _seconds(step) for name, step in steps.items()}


def extract_all(source: str, landing: Path) -> None:
    """Three files at once, as the job's for-each has it."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda file: extract(file, landing), discover(source)))


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
