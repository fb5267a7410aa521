"""Steps of the pipeline in processes of their own, forked from one that has imported what they need."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from unittest import mock

from databricks.connect import DatabricksSession
from pyspark.sql import SparkSession

from renewables.extract import extract
from renewables.landing import landed_files
from renewables.load import load
from renewables.schemas import Schema
from renewables.silver import refresh
from renewables.sources import MEASURES

Step = Callable[[SparkSession, Schema, Path], None]
"""Called with a session, the schema and the landing folder; a process finds it by its module and name."""

forks = multiprocessing.get_context("forkserver")
# What is forked imports the main module, which is pytest's.
forks.set_forkserver_preload(
    ["databricks.connect", "pytest", "renewables.load", "renewables.silver"]
)


def load_landed(spark: SparkSession, schema: Schema, landing: Path) -> None:
    load(spark, landed_files(landing), schema, "1")


def load_and_refresh(spark: SparkSession, schema: Schema, landing: Path) -> None:
    load_landed(spark, schema, landing)
    refresh(spark, schema)


def step_process(step: Step, remote: str, schema: Schema, landing: Path) -> ForkServerProcess:
    """A process that is not started yet; it knows the measures that are known here."""
    return forks.Process(target=_take, args=(step, remote, schema, landing, dict(MEASURES)))


def extract_process(file_uri: str, landing: Path, renames: int) -> ForkServerProcess:
    """`extract` that is killed once it has renamed so many files; it is not started yet."""
    return forks.Process(target=_extract, args=(file_uri, landing, renames))


def kill(process: ForkServerProcess) -> None:
    """SIGKILL; the process has ended when this returns."""
    process.kill()
    wait([process.sentinel])


def _take(
    step: Step, remote: str, schema: Schema, landing: Path, measures: Mapping[str, str]
) -> None:
    MEASURES.update(measures)
    step(DatabricksSession.builder.remote(remote).create(), schema, landing)


def _extract(file_uri: str, landing: Path, renames: int) -> None:
    left = iter(range(renames))

    def rename(old: Path, new: Path) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        old.rename(new)

    with mock.patch("os.replace", rename):
        extract(file_uri, landing)
    os.kill(os.getpid(), signal.SIGKILL)
