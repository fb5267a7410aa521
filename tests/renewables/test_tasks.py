"""The notebooks and the wheel's entry points, with stand-ins for what Databricks' runtime gives them."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from renewables.schemas import Schema

pytestmark = pytest.mark.local_files

ROOT = Path(__file__).parents[2]


class Runtime:
    """What the jobs hand to their tasks: parameters in, task values and notebooks' results out."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.displayed: list[Any] = []
        self.task_values: dict[str, Any] = {}
        self.results: list[str] = []
        self.widgets: dict[str, str] = {}
        self.dbutils = SimpleNamespace(
            widgets=SimpleNamespace(text=self.widgets.setdefault, get=self.widgets.__getitem__),
            notebook=SimpleNamespace(exit=self.results.append),
            jobs=SimpleNamespace(taskValues=SimpleNamespace(set=self.task_values.__setitem__)),
        )

    def run_notebook(self, name: str, **parameters: str) -> None:
        self.widgets.clear()
        self.widgets.update(parameters)
        source = (ROOT / "notebooks" / f"{name}.py").read_text()
        names = {"spark": self.spark, "dbutils": self.dbutils, "display": self.displayed.append}
        exec(compile(source, name, "exec"), names)

    def run_entry_point(self, name: str, **parameters: str) -> None:
        (entry_point,) = importlib.metadata.entry_points(group="packages", name=name)
        with pytest.MonkeyPatch.context() as patch:
            arguments = [f"--{key}={value}" for key, value in parameters.items()]
            patch.setattr(sys, "argv", ["renewables", *arguments])
            patch.setitem(sys.modules, "databricks.sdk.runtime", self)
            entry_point.load()()


def test_the_tasks_of_both_jobs(
    spark: SparkSession,
    schema: Schema,
    compute_gold: Callable[[Schema], DataFrame],
    tmp_path: Path,
) -> None:
    runtime = Runtime(spark)
    job = {"catalog": schema.catalog, "schema": schema.name, "logical_date": "2026-01-01"}
    landing, reports = str(tmp_path / "landing"), tmp_path / "reports"

    runtime.run_entry_point("discover", source_uri=str(ROOT / "fixtures" / "owid"), **job)
    files = json.loads(json.dumps(runtime.task_values["files"]))
    assert [Path(file).name for file in files] == [
        f"share-electricity-{source}.csv" for source in ("hydro", "solar", "wind")
    ]
    for file in files:
        runtime.run_entry_point("extract", file_uri=file, landing=landing, **job)
    runtime.run_entry_point("load", landing=landing, run_id="1", **job)
    runtime.run_notebook("silver", **job)
    assert runtime.task_values["quarantined_percent"] == 0.0
    assert runtime.task_values["rows_quarantined"] == 0
    assert runtime.task_values["rows_read"] == 3118
    (result,) = runtime.results
    assert result.startswith("3118 rows read = 3118 kept + 0 quarantined\n")
    compute_gold(schema)
    runtime.run_notebook("report", country="Norway", reports=str(reports), **job)
    assert sorted(path.name for path in reports.iterdir()) == ["shw_NOR.csv", "shw_NOR.png"]
    runtime.run_notebook("report", country="World", reports=str(reports), **job)
    assert (reports / "shw_overview.png").exists()
    assert len(runtime.displayed) == 6
