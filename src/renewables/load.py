"""load: landed files that bronze has not seen, appended to it exactly once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from renewables.append import append_files, held_hashes
from renewables.errors import UnfitFile
from renewables.inspection import inspect
from renewables.landing import LandedFile, landed_files, remove_leftovers, remove_old
from renewables.parameters import parameters
from renewables.rejections import fits_by_now, rejected_hashes, withdraw
from renewables.schemas import BRONZE, QUARANTINE, Schema
from renewables.sources import Header


@dataclass(frozen=True)
class Load:
    """The files that bronze lacked and has now, and those that went to quarantine as a whole, with why."""

    loaded: list[LandedFile]
    rejected: dict[LandedFile, str]


def main() -> None:
    """Append what is new in the folder `landing` to bronze, and remove from it what is old and loaded."""
    # Outside of a Databricks runtime this import asks for credentials.
    from databricks.sdk.runtime import spark

    given = parameters("landing", "catalog", "schema", "run_id", retention_days="inf")
    landing, schema = Path(given["landing"]), Schema(given["catalog"], given["schema"])
    files = landed_files(landing)
    result = load(spark, files, schema, given["run_id"])
    print(f"{len(result.loaded)} of {len(files)} landed files are new")
    for reason in result.rejected.values():
        print(f"Rejected: {reason}")
    refuse_nothing_fit(spark, files, schema)
    removed = remove_loaded(spark, files, schema, float(given["retention_days"]))
    remove_leftovers(landing)
    print(f"{len(removed)} landed files are loaded and old, and were removed")
    # The last line is for machines: the DAG tells these numbers to whoever waits for the table.
    rows = count_rows(spark, result.loaded, schema.table(BRONZE))
    print(json.dumps({"files": len(result.loaded), "rows": rows}))


def load(spark: SparkSession, files: list[LandedFile], schema: Schema, run_id: str) -> Load:
    """Bring all files that fit into bronze, in one commit, and the others into quarantine, in another.

    Quarantine comes first: a file that it has is not inspected again unless its header fits by now,
    so what is killed in between is done again by the next load.
    """
    bronze, quarantine = schema.create(spark, BRONZE), schema.create(spark, QUARANTINE)
    missing = _missing(files, _held(spark, bronze, files))
    rejected_before = rejected_hashes(spark, quarantine, files)
    new = [f for f in missing if f.content_hash not in rejected_before or fits_by_now(f)]
    headers, rejected = _inspect_all(new)
    _bring(spark, rejected, quarantine, lambda files: _rejections(spark, files, rejected))
    _bring(spark, headers, bronze, lambda files: read(spark, files, headers, run_id))
    loaded = {file.content_hash for file in {*files} - {*missing} | {*headers}}
    withdraw(spark, quarantine, loaded & rejected_before)
    return Load(list(headers), rejected)


def count_rows(spark: SparkSession, files: list[LandedFile], bronze: str) -> int:
    """How many rows of the table `bronze` are from these files."""
    hashes = [file.content_hash for file in files]
    return spark.table(bronze).where(F.col("_content_hash").isin(hashes)).count() if files else 0


def remove_loaded(
    spark: SparkSession, files: list[LandedFile], schema: Schema, retention_days: float
) -> list[LandedFile]:
    """Remove those landed files that bronze has and that are older than the retention; they are returned."""
    held = _held(spark, schema.table(BRONZE), files)
    return remove_old([file for file in files if file.content_hash in held], retention_days)


def refuse_nothing_fit(spark: SparkSession, files: list[LandedFile], schema: Schema) -> None:
    """Raises UnfitFile, with the reasons, if there are landed files and none of them fits."""
    if not files or _held(spark, schema.table(BRONZE), files):
        return
    hashes = [file.content_hash for file in files]
    rejected = spark.table(schema.table(QUARANTINE)).where(F.col("_content_hash").isin(hashes))
    reasons = rejected.select(F.explode("reasons").alias("reason")).distinct().orderBy("reason")
    raise UnfitFile(" ".join(row["reason"] for row in reasons.collect()))


def read(
    spark: SparkSession, files: list[LandedFile], headers: dict[LandedFile, Header], run_id: str
) -> DataFrame:
    """The rows of landed files, with the columns of bronze."""
    rows = reduce(DataFrame.unionByName, (_read(spark, file, headers[file]) for file in files))
    stamped = rows.withColumns({"_loaded_at": F.current_timestamp(), "_run_id": F.lit(run_id)})
    return stamped.select(*BRONZE.column_names)


def _bring(
    spark: SparkSession,
    files: Collection[LandedFile],
    table: str,
    rows_of: Callable[[list[LandedFile]], DataFrame],
) -> None:
    """Append the rows of those files that the table lacks.

    Another load at the same time may win the race to commit, and then this one fails on each engine
    with another exception. That the table has got new files meanwhile tells it from any other
    failure; what is still missing is then appended upon them. So `_loaded_at` rises from commit to
    commit.
    """
    missing, seen = list(files), set[str]()
    while missing:
        try:
            append_files(rows_of(missing), table, [file.content_hash for file in missing])
            break
        except PySparkException:
            before, seen = seen, _held(spark, table, files)
            if seen == before:
                raise
            missing = _missing(files, seen)


def _inspect_all(
    files: list[LandedFile],
) -> tuple[dict[LandedFile, Header], dict[LandedFile, str]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = dict(zip(files, pool.map(_inspect, files), strict=True))
    headers = {file: found for file, found in findings.items() if isinstance(found, Header)}
    rejected = {file: found for file, found in findings.items() if isinstance(found, str)}
    return headers, rejected


def _inspect(file: LandedFile) -> Header | str:
    """The header of a file that fits, else the reason why it does not."""
    try:
        return inspect(file.path, file.source_file)
    except UnfitFile as error:
        return str(error)


def _rejections(
    spark: SparkSession, files: list[LandedFile], reasons: dict[LandedFile, str]
) -> DataFrame:
    """One row of quarantine for each file; it has no values, and the reason."""
    rows = [
        (file.source_file, file.content_hash, file.source_modified_at, [reasons[file]])
        for file in files
    ]
    known = spark.createDataFrame(
        rows,
        "_source_file STRING, _content_hash STRING, _source_modified_at TIMESTAMP, reasons ARRAY<STRING>",
    ).withColumn("_loaded_at", F.current_timestamp())
    empty = {
        column.name: F.lit(None).cast(column.type)
        for column in QUARANTINE.columns
        if column.name not in known.columns
    }
    return known.withColumns(empty).select(*QUARANTINE.column_names)


def _read(spark: SparkSession, file: LandedFile, header: Header) -> DataFrame:
    # The names are given by position: Sail otherwise takes them from a header that differs in case only.
    positional = ", ".join(f"_c{index} STRING" for index in range(len(header.columns)))
    rows = spark.read.schema(positional).csv(
        str(file.path), header=True, escape='"', multiLine=True
    )
    return rows.toDF(*header.columns).withColumns(
        {
            "_position": F.monotonically_increasing_id(),
            "source": F.lit(header.source),
            "_source_file": F.lit(file.source_file),
            "_content_hash": F.lit(file.content_hash),
            "_source_modified_at": F.lit(file.source_modified_at),
        }
    )


def _missing(files: Iterable[LandedFile], held: set[str]) -> list[LandedFile]:
    return [file for file in files if file.content_hash not in held]


def _held(spark: SparkSession, table: str, files: Iterable[LandedFile]) -> set[str]:
    return set(held_hashes(spark.table(table), [file.content_hash for file in files]))
