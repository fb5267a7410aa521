"""The whole pipeline on Sail, against one Polars pass and against Spark + Delta.

`python benchmarks/pipeline.py [--rows N] [--no-spark]` generates CSVs of N rows together, runs extract,
load, silver and gold through databricks-connect, then a revised file of 0.1 % of the rows, and prints
seconds and ratios. The targets are for 9,000,000 rows; Spark alone takes minutes for these.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "tests/local_workspace", "scripts")]

from parity import NoSpark, install, spark_server  # noqa: E402
from serving import sail_server  # noqa: E402

YEARS = 200
SOURCES = ("hydro", "solar", "wind")


@dataclass(frozen=True)
class Result:
    """Of each run the seconds per step, and the peak of the process of all of them."""

    runs: list[dict[str, float]]
    megabytes: float

    @property
    def seconds(self) -> float:
        return sum(self.runs[0].values())

    @property
    def revised_percent(self) -> float:
        return 100 * sum(self.runs[1].values()) / self.seconds


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


def measure(name: str, remote: str, catalog: str, *folders: Path) -> Result:
    """Runs the pipeline on one folder after the other in a process of its own, and prints what it took."""
    command = [sys.executable, str(HERE / "_pipeline.py"), remote, catalog, *folders]
    result = Result(**json.loads(_output(command)))
    for folder, run in zip(folders, result.runs, strict=True):
        print(f"{name}, {folder.name}: {sum(run.values()):.1f} s {_shown(run)}", flush=True)
    return result


def polars_seconds(full: Path, target: Path) -> float:
    command = ["uv", "run", "--no-project", "--with", "polars", "--with", "deltalake", "python"]
    seconds = float(_output([*command, str(HERE / "_polars.py"), full, target]))
    print(f"Polars: {seconds:.1f} s", flush=True)
    return seconds


def verdict(what: str, value: float, unit: str, *, most: float = 0, least: float = 0) -> None:
    """One line with the value, its target, and whether it was met."""
    is_met = value <= most if most else value >= least
    target = f"at most {most:g}" if most else f"at least {least:g}"
    print(f"{what:52} {value:7.1f} {unit:2} ({target}: {'ok' if is_met else 'MISSED'})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=900_000)
    parser.add_argument("--no-spark", action="store_true", help="leave Spark + Delta out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        full, revised = Path(folder, "full"), Path(folder, "revised")
        generate(full, max(1, given.rows // len(SOURCES) // YEARS))
        generate(revised, max(1, given.rows // 1000 // YEARS), ("wind",), seed=2)
        polars = polars_seconds(full, Path(folder, "polars"))
        with sail_server(Path(folder, "state")) as remote:
            sail = measure("Sail", remote, "main", full, revised)
        with sail_server(Path(folder, "small")) as remote:
            small = measure("Sail", remote, "main", revised)
        verdict("whole pipeline on Sail / one Polars pass", sail.seconds / polars, "x", most=2.5)
        verdict("revised file of 0.1 % / full load", sail.revised_percent, "%", most=5)
        verdict("memory of the task's process", sail.megabytes, "MB", most=500)
        verdict(
            "the same / with 0.1 % of the rows", sail.megabytes / small.megabytes, "x", most=1.3
        )
        if not given.no_spark:
            compare_with_spark(sail, full, revised)


def compare_with_spark(sail: Result, full: Path, revised: Path) -> None:
    try:
        install()
        with spark_server() as remote:
            spark = measure("Spark", remote, "spark_catalog", full, revised)
    except NoSpark as missing:
        print(f"Not compared with Spark: {missing}")
        return
    verdict(
        "whole pipeline on Spark + Delta / on Sail", spark.seconds / sail.seconds, "x", least=10
    )
    verdict("revised file of 0.1 % / full load, on Spark", spark.revised_percent, "%", most=5)


def _output(command: list[Any]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _shown(steps: dict[str, float]) -> str:
    return "(" + ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items()) + ")"


if __name__ == "__main__":
    main()
