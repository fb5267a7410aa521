"""The yardstick of pipeline.py: one Polars pass from the CSVs to a Delta table; prints its seconds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import polars as pl


def main(source: Path, target: Path) -> None:
    started = time.perf_counter()
    files = [
        pl.scan_csv(source / f"share-electricity-{name}.csv", new_columns=["entity", "code", "year", "percent"])
        .with_columns(source=pl.lit(name))
        for name in ("hydro", "solar", "wind")
    ]  # fmt: skip
    percents = [
        pl.col("percent").filter(pl.col("source") == name).max().alias(f"{name}_percent")
        for name in ("hydro", "solar", "wind")
    ]
    valid = pl.concat(files).filter(pl.col("percent").is_between(0, 100))
    gold = valid.group_by("entity", "year").agg(pl.col("code").max(), *percents)
    total = pl.col("hydro_percent") + pl.col("solar_percent") + pl.col("wind_percent")
    gold.with_columns(shw_percent=total).collect(engine="streaming").write_delta(str(target))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
