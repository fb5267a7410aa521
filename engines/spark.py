"""Run OSS Spark with Delta Lake as a Spark Connect server, until stdin ends.

Its first line on stdout is {"port": N}. Whoever starts this holds the other end of stdin, so the
server ends with it, however it ends. Needs Java 17, and Maven Central for Delta's jar the first time.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

DELTA = "io.delta:delta-spark_2.13:4.0.1"
SETTINGS = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.jars.packages": DELTA,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    # databricks-connect 17.3 asks for these two, which came with Spark 4.1.
    "spark.sql.session.localRelationChunkSizeRows": "10000",
    "spark.sql.session.localRelationChunkSizeBytes": "16777216",
    # The tables of tests are small.
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.driver.memory": "4g",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    # Java writes to stdout, which is the caller's.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with tempfile.TemporaryDirectory() as folder:
        # Spark takes 0 as well, but does not tell Python which port that became.
        port = given.port or _free_port()
        spark = _start(Path(folder), port, dict(pair.split("=", 1) for pair in given.set))
        print(json.dumps({"port": port}), file=answer, flush=True)
        sys.stdin.buffer.read()
        spark.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(folder: Path, port: int, settings: dict[str, str]) -> SparkSession:
    builder = SparkSession.builder.master("local[*]").config(
        "spark.connect.grpc.binding.port", port
    )
    builder = builder.config("spark.sql.warehouse.dir", str(folder))
    for name, value in {**SETTINGS, **settings}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


if __name__ == "__main__":
    main()
