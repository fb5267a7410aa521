"""`python -m renewables <transform> …`: one transform, run from here on any Spark Connect server.

The session is databricks-connect's: SPARK_REMOTE names a server (the local workspace's is in
.local/workspace.env), else the Databricks configuration of this machine does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from renewables.errors import PipelineError
from renewables.landing import landed_files
from renewables.load import load
from renewables.report import overview, report
from renewables.schemas import Schema
from renewables.silver import refresh

Transform = Callable[[SparkSession, Schema, argparse.Namespace], str]


def main(arguments: list[str] | None = None) -> int:
    """Run the transform that the command line names; 1 if it stops with a PipelineError."""
    given = _parser().parse_args(arguments)
    transform: Transform = given.transform
    try:
        print(transform(_session(), Schema(given.catalog, given.schema), given))
    except PipelineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _session() -> SparkSession:
    from databricks.connect import DatabricksSession

    session: SparkSession = DatabricksSession.builder.getOrCreate()
    return session


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m renewables", description=__doc__)
    parser.add_argument("--catalog", default="main")
    parser.add_argument("--schema", default="renewables")
    transforms = parser.add_subparsers(required=True, metavar="transform")
    one = transforms.add_parser("load", help="landed files -> bronze")
    one.add_argument("landing", type=Path, help="the landing folder, as the server sees it too")
    one.set_defaults(transform=_load)
    one = transforms.add_parser("silver", help="bronze -> silver and quarantine")
    one.set_defaults(transform=_silver)
    one = transforms.add_parser("report", help="gold -> a country's chart and table")
    one.add_argument("country")
    one.add_argument("--folder", type=Path, default=Path("reports"))
    one.set_defaults(transform=_report)
    one = transforms.add_parser("overview", help="gold -> the ranking of the last year")
    one.add_argument("--folder", type=Path, default=Path("reports"))
    one.set_defaults(transform=_overview)
    return parser


def _load(spark: SparkSession, schema: Schema, given: argparse.Namespace) -> str:
    result = load(spark, landed_files(given.landing), schema, run_id="")
    rejected = "".join(f"\nRejected: {reason}" for reason in result.rejected.values())
    return f"{len(result.loaded)} files are new{rejected}"


def _silver(spark: SparkSession, schema: Schema, _: argparse.Namespace) -> str:
    return str(refresh(spark, schema))


def _report(spark: SparkSession, schema: Schema, given: argparse.Namespace) -> str:
    result = report(spark, schema, given.country, given.folder)
    return f"{result.chart}\n{result.table}"


def _overview(spark: SparkSession, schema: Schema, given: argparse.Namespace) -> str:
    result = overview(spark, schema, given.folder)
    return f"{result.chart}\n{result.table}"


if __name__ == "__main__":
    sys.exit(main())
