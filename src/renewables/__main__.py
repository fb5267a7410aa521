"""One step of the pipeline, run from this machine; Spark does its work wherever the session is.

The session is databricks-connect's. It goes to the server that SPARK_REMOTE or --remote names, else
to the workspace of this machine's Databricks configuration (profile, or DATABRICKS_* variables).
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from renewables import gold
from renewables.discover import discover
from renewables.errors import NoSession, PipelineError
from renewables.extract import extract
from renewables.landing import landed_files
from renewables.load import load
from renewables.report import Report, overview, report
from renewables.schemas import Schema
from renewables.silver import refresh

EXAMPLES = """
the local workspace (`make workspace` in another shell; its engine is Sail):
  set -a; source .local/workspace.env; set +a
  uv run python -m renewables silver

a Spark Connect server of your own:
  uv run python -m renewables --remote sc://localhost:15002 --catalog spark_catalog silver

your Databricks workspace:
  DATABRICKS_CONFIG_PROFILE=dev DATABRICKS_SERVERLESS_COMPUTE_ID=auto \\
    uv run python -m renewables --schema renewables_me gold
"""

NO_WORKSPACE = (
    "Run `databricks auth login`, and set DATABRICKS_CONFIG_PROFILE, and DATABRICKS_CLUSTER_ID or "
    "DATABRICKS_SERVERLESS_COMPUTE_ID=auto; or name a Spark Connect server with --remote or SPARK_REMOTE."
)
CONNECT_PORT = 15002
"""Spark Connect's, where the URL names none."""


def main(arguments: list[str] | None = None) -> int:
    """Run the step that the command line names; 1, and one line on stderr, if it fails."""
    given = _parser().parse_args(arguments)
    step: Callable[[argparse.Namespace], str] = given.step
    # It would print as JSON the error that this prints as a line.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True
    try:
        print(step(given))
    except (PipelineError, PySparkException) as error:
        print(f"{type(error).__name__}: {_reason(error)}", file=sys.stderr)
        return 1
    return 0


def _reason(error: Exception) -> str:
    """The first line, below which the engine adds its plan or a JVM's stack; of a gRPC error what it details."""
    text = str(error).strip()
    details = re.search(r'details = "(.*)"', text)
    return details[1] if details else text.partition("\n")[0]


def _session(given: argparse.Namespace) -> SparkSession:
    """Raises NoSession, at once rather than after gRPC's retries where nothing listens."""
    from databricks.connect import DatabricksSession

    remote = given.remote or os.environ.get("SPARK_REMOTE")
    if remote:
        _require_listener(remote)
    builder = DatabricksSession.builder
    try:
        session: SparkSession = (
            builder.remote(given.remote) if given.remote else builder
        ).getOrCreate()
    # Not all that it raises has a type of its own.
    except Exception as error:
        remedy = "Use sc://host:port." if remote else NO_WORKSPACE
        raise NoSession(f"{_reason(error).rstrip('.')}. {remedy}") from error
    return session


def _require_listener(remote: str) -> None:
    address = urlsplit(remote)
    # Behind a proxy only gRPC knows the way.
    if address.hostname is None or getproxies():
        return
    try:
        where = address.hostname, address.port or CONNECT_PORT
    except ValueError as error:
        raise NoSession(f"{error}. Use sc://host:port.") from error
    try:
        socket.create_connection(where, timeout=10).close()
    except OSError as error:
        # Not the whole URL, which may hold a token.
        raise NoSession(
            f"No Spark Connect server answers at {where[0]}:{where[1]} ({error.strerror or error}): start "
            "it (`make workspace` for the local one), or correct --remote or SPARK_REMOTE."
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m renewables",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--remote", metavar="URL", help="a Spark Connect server, sc://host:port")
    parser.add_argument("--catalog", default="main", help="default: %(default)s")
    parser.add_argument("--schema", default="renewables", help="default: %(default)s")
    steps = parser.add_subparsers(required=True, metavar="step")
    _add_ingest(steps)
    _add_transform(steps)
    return parser


def _add_ingest(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    one = steps.add_parser("extract", help="source -> landing folder; needs no session")
    one.add_argument("source", help="folder, file or URL, as the job's source_uri")
    one.add_argument("landing", type=Path)
    one.set_defaults(step=_extract)
    one = steps.add_parser("load", help="landing folder -> bronze")
    one.add_argument("landing", type=_folder, help="a folder that the engine sees at the same path")
    one.set_defaults(step=_load)


def _add_transform(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    one = steps.add_parser("silver", help="bronze -> silver and quarantine")
    one.set_defaults(step=_silver)
    one = steps.add_parser("gold", help="silver -> gold, by sql/gold.sql")
    one.add_argument("--sql", type=Path, default=gold.GOLD_SQL, help="another file of that kind")
    one.set_defaults(step=_gold)
    one = steps.add_parser("report", help="gold -> one country's chart and table, here")
    one.add_argument("country", help="an entity, as 'Norway' or 'World'")
    one.set_defaults(step=_report)
    two = steps.add_parser("overview", help="gold -> the entities with the highest SHW %%, here")
    two.set_defaults(step=_overview)
    for parser in (one, two):
        parser.add_argument("--folder", type=Path, default=Path("reports"), help="default: reports")


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder: extract a source into it first.")
    return path


def _schema(given: argparse.Namespace) -> Schema:
    return Schema(given.catalog, given.schema)


def _extract(given: argparse.Namespace) -> str:
    landed = [extract(uri, given.landing) for uri in discover(given.source)]
    return "\n".join(
        f"{file.source_file} {'landed as' if is_new else 'was landed before, as'} {file.path}"
        for file, is_new in landed
    )


def _load(given: argparse.Namespace) -> str:
    result = load(_session(given), landed_files(given.landing), _schema(given), run_id="")
    rejected = "".join(f"\nRejected: {reason}" for reason in result.rejected.values())
    return f"{len(result.loaded)} files are new{rejected}"


def _silver(given: argparse.Namespace) -> str:
    return str(refresh(_session(given), _schema(given)))


def _gold(given: argparse.Namespace) -> str:
    try:
        sql = given.sql.read_text(encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"{given.sql} cannot be read ({error.strerror}): run this in a checkout, or give --sql."
        ) from error
    spark, schema = _session(given), _schema(given)
    table = gold.compute(spark, schema, sql, gold.outdated(spark, schema))
    return f"{table.count()} rows in {schema.table(gold.GOLD)}"


def _report(given: argparse.Namespace) -> str:
    return _files(report(_session(given), _schema(given), given.country, given.folder))


def _overview(given: argparse.Namespace) -> str:
    return _files(overview(_session(given), _schema(given), given.folder))


def _files(written: Report) -> str:
    return f"{written.chart}\n{written.table}"


if __name__ == "__main__":
    sys.exit(main())
