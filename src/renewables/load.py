"""load: landed files that bronze has not seen, appended to it exactly once."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files
from renewables.landing import LandedFile, landed_files
from renewables.parameters import parameters
from renewables.schemas import BRONZE, Schema
from renewables.sources import parse_header


def main() -> None:
    """Append what is new in the folder `landing` to bronze."""
    # Outside of a Databricks runtime this import asks for credentials.
    from databricks.sdk.runtime import spark

    given = parameters("landing", "catalog", "schema", "run_id")
    bronze = Schema(given["catalog"], given["schema"]).create(spark, BRONZE)
    files = landed_files(Path(given["landing"]))
    loaded = load(spark, files, bronze, given["run_id"])
    print(f"{len(loaded)} of {len(files)} landed files are new")


def load(
    spark: SparkSession, files: list[LandedFile], bronze: str, run_id: str
) -> list[LandedFile]:
    """Bring all files into the table `bronze`, in one commit; the ones that it lacked are returned.

    Another load at the same time may win the race to commit, and then this one fails on each engine
    with another exception. That bronze has got new files meanwhile tells it from any other failure;
    what is still missing is then appended upon them. So `_loaded_at` rises from commit to commit.
    """
    seen = _content_hashes(spark, bronze)
    new = missing = _missing(files, seen)
    while missing:
        try:
            append_files(read(spark, missing, run_id), bronze)
        except PySparkException:
            before, seen = seen, _content_hashes(spark, bronze)
            if seen == before:
                raise
            missing = _missing(files, seen)
        else:
            break
    return new


def _missing(files: list[LandedFile], seen: set[str]) -> list[LandedFile]:
    return [file for file in files if file.content_hash not in seen]


def read(spark: SparkSession, files: list[LandedFile], run_id: str) -> DataFrame:
    """The rows of landed files, with the columns of bronze."""
    rows = reduce(lambda one, other: one.unionByName(other), (_read(spark, file) for file in files))
    stamped = rows.withColumns({"_loaded_at": F.current_timestamp(), "_run_id": F.lit(run_id)})
    return stamped.select(*BRONZE.column_names)


def _read(spark: SparkSession, file: LandedFile) -> DataFrame:
    with file.path.open("rb") as stream:
        columns = parse_header(stream.readline(), str(file.path)).columns
    # The names are given by position: Sail otherwise takes them from a header that differs in case only.
    positional = ", ".join(f"_c{index} STRING" for index in range(len(columns)))
    rows = spark.read.schema(positional).csv(str(file.path), header=True, escape='"')
    return rows.toDF(*columns).withColumns(
        {
            "_position": F.monotonically_increasing_id(),
            "source": F.lit(file.source),
            "_source_file": F.lit(file.source_file),
            "_content_hash": F.lit(file.content_hash),
            "_source_modified_at": F.lit(file.source_modified_at),
        }
    )


def _content_hashes(spark: SparkSession, bronze: str) -> set[str]:
    rows = spark.table(bronze).select("_content_hash").distinct().collect()
    return {row["_content_hash"] for row in rows}
