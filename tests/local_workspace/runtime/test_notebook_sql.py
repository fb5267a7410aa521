"""A notebook's `%sql` and `spark.sql` have the statements that Databricks has and the Spark engine has not."""

from __future__ import annotations

from pathlib import Path

from .conftest import Runner

NOTEBOOK = """# Databricks notebook source
# MAGIC %sql
# MAGIC CREATE TABLE described (id INT); -- a comment; with a semicolon
# MAGIC DESCRIBE described

# COMMAND ----------
_sqldf.collect()[0]["col_name"], spark.sql("DESC described").count(), sql("DESC described").count()

# COMMAND ----------
spark.sql("SELECT :n AS n", args={"n": 3}).collect()[0]["n"]
"""


def test_statements_are_executed_as_on_databricks(runner: Runner) -> None:
    ended = runner.notebook(NOTEBOOK)
    assert ended.last["event"] == "succeeded", ended.last
    shown = [output["data"] for cell in ended.cells for output in cell if output["type"] == "text"]
    assert shown == ["('id', 1, 1)", "3"]


def test_what_the_engine_lacks_is_refused_by_name(runner: Runner) -> None:
    for source in ('spark.sql("OPTIMIZE t")', "# MAGIC %sql OPTIMIZE t"):
        error = runner.notebook(f"# Databricks notebook source\n{source}\n").error
        assert "[UNSUPPORTED_FEATURE] The local workspace does not support OPTIMIZE" in error


def test_a_cell_queries_a_file_of_a_volume(runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "Volumes" / "main" / "s" / "v" / "two.csv"
    file.parent.mkdir(parents=True)
    file.write_text("1\n2\n")
    source = """# Databricks notebook source
# MAGIC %sql SELECT count(*) AS n FROM csv.`/Volumes/main/s/v/two.csv`

# COMMAND ----------
dbutils.notebook.exit(_sqldf.collect()[0]["n"])
"""
    ended = runner.notebook(source, mounts=str(tmp_path))
    assert ended.last == {"event": "succeeded", "result": "2"}
