"""What the provider's operators start: a notebook, a Python file and a wheel that double a number on Spark."""

from __future__ import annotations

import io
import zipfile

from workspace import Workspace

NOTEBOOK = "/Workspace/Shared/double"
SCRIPT = "/Workspace/Shared/double.py"
WHEEL = "/Volumes/main/provider/wheels/doubling-1.0-py3-none-any.whl"
WHEEL_TASK = {"package_name": "doubling", "entry_point": "double"}

# It waits until the file `gate` is there; where the file `flaw` is, it takes that away and fails.
_DOUBLE = """
import time
from pathlib import Path

def double(spark, number="", gate="", flaw=""):
    while gate and not Path(gate).exists():
        time.sleep(0.01)
    if flaw and Path(flaw).exists():
        Path(flaw).unlink()
        raise RuntimeError("There was a flaw.")
    return spark.sql(f"SELECT {int(number)} * 2").first()[0]
"""
_NOTEBOOK = f"""# Databricks notebook source
{_DOUBLE}
dbutils.notebook.exit(double(spark, **dbutils.widgets.getAll()))
"""
_SCRIPT = f"""{_DOUBLE}
import sys
print(double(spark, *sys.argv[1:]))
"""
_MODULE = f"""{_DOUBLE}
import sys

def main():
    from databricks.sdk.runtime import spark
    print(double(spark, **dict(item.removeprefix("--").split("=", 1) for item in sys.argv[1:])))
"""


def install(workspace: Workspace) -> None:
    workspace.import_notebook(NOTEBOOK, _NOTEBOOK)
    workspace.import_file(SCRIPT, _SCRIPT)
    workspace.rows("CREATE SCHEMA main.provider")
    volume = {"catalog_name": "main", "schema_name": "provider", "name": "wheels"}
    workspace.call("POST", "2.1/unity-catalog/volumes", {**volume, "volume_type": "MANAGED"})
    workspace.upload(WHEEL, _wheel())


def _wheel() -> bytes:
    content, folder = io.BytesIO(), "doubling-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: doubling\nVersion: 1.0\n"
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("doubling.py", _MODULE)
        archive.writestr(f"{folder}/METADATA", metadata)
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/entry_points.txt", "[packages]\ndouble = doubling:main\n")
        archive.writestr(f"{folder}/RECORD", "")
    return content.getvalue()
