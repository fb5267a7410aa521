"""Notebooks: their cells, what these show, and Databricks' names in them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from local_workspace.runtime.notebook_source import Cell, parse
from local_workspace.runtime.outputs import LEFT_OUT

from .conftest import Runner

HEADER = "# Databricks notebook source\n"
NEXT = "\n# COMMAND ----------\n"


def test_cells_of_a_python_notebook() -> None:
    source = (
        f"{HEADER}# MAGIC %md\n# MAGIC # Title\n{NEXT}\n"
        f"# DBTITLE 1,Numbers\nx = 1\n\ny = 2\n{NEXT}{NEXT}# MAGIC %sql SELECT 1\n# MAGIC\n# MAGIC , 2"
        f"{NEXT}# MAGIC %pip list\n# MAGIC x{NEXT}%sql\nSELECT 2"
    )
    assert parse(source, "PYTHON") == [
        Cell(0, "md", "%md\n# Title", "# Title", 3),
        Cell(1, "python", "x = 1\n\ny = 2", "x = 1\n\ny = 2", 8, "Numbers"),
        Cell(2, "sql", "%sql SELECT 1\n\n, 2", "SELECT 1\n\n, 2", 15),
        Cell(3, "python", "%pip list\nx", "%pip list\nx", 19),
        Cell(4, "sql", "%sql\nSELECT 2", "SELECT 2", 23),
    ]


def test_cells_of_a_sql_notebook() -> None:
    source = "-- Databricks notebook source\nSELECT 1\n-- COMMAND ----------\n-- MAGIC %python\n-- MAGIC x = 1"
    assert parse(source, "SQL") == [
        Cell(0, "sql", "SELECT 1", "SELECT 1", 2),
        Cell(1, "python", "%python\nx = 1", "x = 1", 5),
    ]


def test_cells_share_their_names_and_show_the_last_value(runner: Runner) -> None:
    ended = runner.notebook(f"{HEADER}x = 20\n{NEXT}\nx += 1\nx * 2\n{NEXT}\nNone\n{NEXT}\n'text'")
    assert ended.cells == [
        [],
        [{"type": "text", "data": "42"}],
        [],
        [{"type": "text", "data": "'text'"}],
    ]
    assert ended.result is None


def test_printed_text_is_in_the_cell_and_in_the_log(runner: Runner) -> None:
    ended = runner.notebook("import sys\nprint('out')\nprint('err', file=sys.stderr)")
    assert ended.cells == [[{"type": "text", "data": "out\nerr\n"}]]
    assert ended.output == "out\nerr\n"


def test_text_without_end_is_cut_in_the_cell_only(runner: Runner) -> None:
    ended = runner.notebook("for i in range(100_000): print('x' * 99)\ndisplayHTML('end')")
    text, html = ended.cells[0][0], ended.cells[0][1]
    assert len(ended.output) == 10_000_000
    assert len(text["data"]) <= 4 * 1024 * 1024
    assert html == {"type": "html", "data": "end"}
    assert ended.cells[0][2]["data"] == LEFT_OUT


def test_an_error_shows_the_notebooks_lines_only(runner: Runner) -> None:
    source = f"{HEADER}def f(x):\n    return 1 / x\n{NEXT}\nf(0)\n{NEXT}\nprint('not reached')"
    ended = runner.notebook(source)
    assert ended.error == "ZeroDivisionError: division by zero"
    assert ended.last["trace"] == (
        "Traceback (most recent call last):\n"
        '  File "/Workspace/nb", line 7, in <module>\n    f(0)\n'
        '  File "/Workspace/nb", line 3, in f\n    return 1 / x\n           ~~^~~\n'
        "ZeroDivisionError: division by zero\n"
    )
    assert ended.cells == [[], [{"type": "error", "data": ended.last["trace"]}]]
    assert ended.output == ended.last["trace"]
    assert ended.exit is not None
    assert ended.exit.code == 1


def test_a_syntax_error_names_its_line(runner: Runner) -> None:
    ended = runner.notebook(f"{HEADER}pass\n{NEXT}\nx = = 1")
    assert ended.error == "SyntaxError: invalid syntax (nb, line 6)"
    assert 'File "/Workspace/nb", line 6\n    x = = 1' in ended.last["trace"]
    assert "site-packages" not in ended.last["trace"]


def test_functions_of_a_notebook_know_their_module(runner: Runner) -> None:
    ended = runner.notebook(
        "def f(): pass\nimport pickle\nprint(pickle.loads(pickle.dumps(f)) is f)"
    )
    assert ended.output == "True\n"


# Names


def test_a_widgets_value_is_the_runs_parameter_or_its_default(runner: Runner) -> None:
    source = """
dbutils.widgets.text("given", "default")
dbutils.widgets.dropdown("choice", "a", ["a", "b"])
print([dbutils.widgets.get(name) for name in ("given", "choice", "undeclared")])
print(dbutils.widgets.getAll(), getArgument("none", "else"))
dbutils.widgets.removeAll()
print(dbutils.widgets.getAll())
"""
    ended = runner.notebook(source, widgets={"given": "5", "undeclared": "6"})
    assert ended.output.splitlines() == [
        "['5', 'a', '6']",
        "{'given': '5', 'choice': 'a', 'undeclared': '6'} else",
        "{'given': '5', 'undeclared': '6'}",
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("dbutils.widgets.get('x')", "InputWidgetNotDefined: No input widget named x is defined"),
        ("dbutils.widgets.dropdown('x', 'c', ['a'])", "ValueError: The default value 'c' of"),
        ("dbutils.notebook.run('x', 60, {'n': 1})", "TypeError: The arguments of a notebook are"),
        ("dbutils.credentials.help()", "AttributeError: dbutils.credentials is not available"),
        ("dbutils.fs.mount('s3a://b', '/mnt/b')", "AttributeError: dbutils.fs.mount is not"),
        ("dbutils.library.install('x')", "AttributeError: dbutils.library.install is not"),
        ("dbutils.fs.ls('s3://bucket')", "NotImplementedError: dbutils.fs has no s3: paths"),
        ("dbutils.fs.ls('here')", "ValueError: dbutils.fs needs an absolute path, got 'here'"),
        ("dbutils.jobs.taskValues.get('t', 'k')", "ValueError: No task value 'k' of the task 't'"),
        ("dbutils.jobs.taskValues.set('k', {1})", "TypeError: Object of type set is not JSON"),
        ("dbutils.jobs.taskValues.set('k', float('nan'))", "ValueError: Out of range float"),
        (
            "dbutils.jobs.taskValues.set('k', 'x' * 49151)",
            "ValueError: The task value 'k' has 49153",
        ),
        ("import local_workspace", "ModuleNotFoundError: No module named 'local_workspace'"),
        ("sc", "NameError: name 'sc' is not defined"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("# MAGIC %scala\n# MAGIC val x = 1", "NotImplementedError: %scala cells do not run in"),
        ("# MAGIC %r\n# MAGIC x <- 1", "NotImplementedError: %r cells do not run in the local"),
        ("# MAGIC %nosuch", "UsageError: Line magic function `%nosuch` not found."),
        (
            "# MAGIC %pip uninstall pandas",
            "PipError: %pip uninstall pandas: the local workspace has",
        ),
        ("# MAGIC %run ./x 5", "ValueError: %run takes a path and $name=\"value\" pairs, got '5'."),
        ("# MAGIC %run ./absent", "FileNotFoundError: %run ./absent: there is no such notebook"),
        ("# MAGIC %sh -e\n# MAGIC false\n# MAGIC true", "CalledProcessError: Command '%sh -e'"),
    ],
)
def test_what_is_not_possible_is_refused(runner: Runner, source: str, error: str) -> None:
    assert runner.notebook(source).error.startswith(error)


def test_task_values_are_handed_on(runner: Runner) -> None:
    source = """
values = dbutils.jobs.taskValues
values.set("files", ["a", "b"])
print(values.get("this", "files"), values.get("other", "n"), values.get("other", "x", default=0))
"""
    ended = runner.notebook(source, task_values={"other": {"n": 7}})
    assert ended.task_values() == {"files": ["a", "b"]}
    assert ended.output == "['a', 'b'] 7 0\n"


def test_outside_of_a_job_task_values_are_for_debugging(runner: Runner) -> None:
    source = """
values = dbutils.jobs.taskValues
values.set("files", [])
print(values.get("t", "k", debugValue=1))
values.get("t", "k")
"""
    ended = runner.notebook(source, context={})
    assert ended.output.startswith("1\n")
    assert ended.error.startswith("TypeError: Must pass debugValue")
    assert ended.task_values() == {}


@pytest.mark.parametrize("code", ["dbutils.notebook.exit('done')", "import sys; sys.exit(0)"])
def test_a_notebook_can_end_early(runner: Runner, code: str) -> None:
    source = (
        f"try:\n    {code}\nexcept Exception:\n    print('not here')\n{NEXT}\nprint('nor here')"
    )
    ended = runner.notebook(source)
    assert ended.result == ("done" if "done" in code else None)
    assert ended.output == ""
    assert len(ended.cells) == 1


def test_the_file_system(runner: Runner, tmp_path: Path) -> None:
    source = f"""
fs, root = dbutils.fs, "file:{tmp_path}"
fs.mkdirs(f"{{root}}/a/b")
fs.put(f"{{root}}/a/x.txt", "content")
fs.cp(f"{{root}}/a/x.txt", f"{{root}}/a/b")
fs.mv(f"{{root}}/a/x.txt", f"{{root}}/a/y.txt")
print([(info.name, info.size) for info in fs.ls(f"{{root}}/a")], fs.head(f"{{root}}/a/b/x.txt", 4))
print(fs.rm(f"{{root}}/a", recurse=True), fs.rm(f"{{root}}/a"))
"""
    ended = runner.notebook(source)
    assert ended.output == "[('b/', 0), ('y.txt', 7)] cont\nTrue False\n"
    assert not (tmp_path / "a").exists()


def test_the_process_has_the_tasks_environment_only(runner: Runner) -> None:
    source = (
        "import os\nprint(sorted(name for name in os.environ if name.startswith('DATABRICKS_')))"
    )
    env = {"DATABRICKS_RUNTIME_VERSION": "17.3", "DATABRICKS_HOST": "http://127.0.0.1"}
    assert runner.notebook(source, env=env).output == (
        "['DATABRICKS_HOST', 'DATABRICKS_RUNTIME_VERSION']\n"
    )


# Spark and what is shown


def test_a_task_that_uses_no_spark_makes_no_session(runner: Runner) -> None:
    source = """
from databricks.sdk.runtime import dbutils as same, spark
from pyspark.sql.connect.session import SparkSession
print(same is dbutils, isinstance(spark, SparkSession), SparkSession.getActiveSession())
"""
    assert runner.notebook(source).output == "True True None\n"


def test_spark_is_the_session_of_databricks_connect_too(runner: Runner) -> None:
    source = """
from databricks.connect import DatabricksSession
spark.range(3).createOrReplaceTempView("three")
print(DatabricksSession.builder.getOrCreate().table("three").count(), table("three").count())
print(sql("SELECT max(id) AS m FROM three").first().m)
"""
    assert runner.notebook(source).output == "3 3\n2\n"


def test_displayed_tables(runner: Runner) -> None:
    source = """
import pandas
display(spark.sql("SELECT 1 AS i, CAST(NULL AS STRING) AS s"))
display(pandas.DataFrame({"p": [0.5, None]}))
spark.range(1)
"""
    tables, text = runner.notebook(source).cells[0][:2], runner.notebook(source).cells[0][2]
    assert tables == [
        {
            "type": "table",
            "data": {
                "columns": [{"name": "i", "type": "INT"}, {"name": "s", "type": "STRING"}],
                "rows": [["1", None]],
                "truncated": False,
            },
        },
        {
            "type": "table",
            "data": {
                "columns": [{"name": "p", "type": "float64"}],
                "rows": [["0.5"], [None]],
                "truncated": False,
            },
        },
    ]
    assert text == {"type": "text", "data": "DataFrame[id: bigint]"}


def test_a_long_table_is_cut_and_says_so(runner: Runner) -> None:
    data: dict[str, Any] = runner.notebook("display(spark.range(1001))").cells[0][0]["data"]
    assert (len(data["rows"]), data["truncated"]) == (1000, True)


def test_figures_are_shown_once(runner: Runner) -> None:
    source = f"""
import matplotlib.pyplot as plt
plt.plot([1, 2])
{NEXT}
figure, _ = plt.subplots()
display(figure)
{NEXT}
displayHTML("<b>bold</b>")
"""
    cells = runner.notebook(source).cells
    images = [output for cell in cells for output in cell if output["type"] == "image"]
    assert len(images) == 2
    assert all(base64.b64decode(image["data"]).startswith(b"\x89PNG") for image in images)
    assert cells[2] == [{"type": "html", "data": "<b>bold</b>"}]


def test_sql_cells_take_widgets_and_leave_their_result(runner: Runner) -> None:
    source = f"""
# MAGIC %sql
# MAGIC CREATE OR REPLACE TEMPORARY VIEW v AS SELECT :name AS name;
# MAGIC SELECT name FROM v
{NEXT}
print(_sqldf.collect())
"""
    ended = runner.notebook(source.strip(), widgets={"name": "it's"})
    assert ended.cells[0][0]["data"]["rows"] == [["it's"]]
    assert ended.output == """[Row(name="it's")]\n"""


def test_modules_beside_the_notebook_are_found(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("NAME = 'helper'")
    ended = runner.notebook("import helper, os\nprint(helper.NAME, os.getcwd())", cwd=str(tmp_path))
    assert ended.output == f"helper {tmp_path}\n"


def test_other_magics(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "shared").write_text(f"{HEADER}def double(x):\n    return 2 * x\n")
    source = f"""
# MAGIC %run ./shared
{NEXT}
# MAGIC %sh
# MAGIC false
# MAGIC echo from bash
{NEXT}
# MAGIC %pip install "pandas>=2" pyyaml
{NEXT}
double(21)
"""
    ended = runner.notebook(source.strip(), cwd=str(tmp_path))
    already = 'Requirement already satisfied: "pandas>=2"\nRequirement already satisfied: pyyaml\n'
    assert ended.cells == [
        [],
        [{"type": "text", "data": "from bash\n"}],
        [{"type": "text", "data": already}],
        [{"type": "text", "data": "42"}],
    ]
