"""What a notebook's cells may be besides plain Python: IPython's syntax, %run with arguments, %fs, a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Runner

NEXT = "\n# COMMAND ----------\n"


def cells(*sources: str) -> str:
    """A notebook; a cell that begins with a magic is written as Databricks does."""
    return NEXT.join(
        "\n".join(f"# MAGIC {line}" for line in source.splitlines())
        if source.startswith("%")
        else source
        for source in sources
    )


def texts(runner: Runner, *sources: str, **spec: Any) -> list[str]:
    """The text of each cell."""
    ended = runner.notebook(cells(*sources), **spec)
    assert ended.last["event"] == "succeeded", ended.last
    return ["".join(o["data"] for o in outputs if o["type"] == "text") for outputs in ended.cells]


def test_magics_of_ipython(runner: Runner) -> None:
    timed, after, rest, shell = texts(
        runner,
        "%%time\nx = 20 + 1",
        "%load_ext autoreload\n%autoreload 2\nx * 2",
        "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\nx",
        "get_ipython().run_line_magic('who', 'int')",
    )
    assert timed.startswith("CPU times: ")
    assert (after, rest, shell) == ("42", "21", "x\t \n")


def test_commands_of_the_shell_in_a_python_cell(runner: Runner) -> None:
    (text,) = texts(
        runner, "word = 'a'\nfound = !echo $word; echo {word * 2}\n!echo printed\nfound"
    )
    assert text == "printed\n['a', 'aa']"


def test_an_error_in_such_a_cell_names_its_line(runner: Runner) -> None:
    ended = runner.notebook(cells("pass", "%time x = 1\n!true\nx / 0"))
    assert 'File "/Workspace/nb", line 5, in <module>' in ended.last["trace"]
    assert ended.error == "ZeroDivisionError: division by zero"


def test_cells_can_await(runner: Runner) -> None:
    source = "import asyncio\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 'value')"
    assert texts(runner, source) == ["'value'"]


def test_what_ipython_displays(runner: Runner) -> None:
    source = """
from IPython.display import HTML, Image, display as show
show(HTML("<b>bold</b>"))
HTML("<i>italic</i>")
"""
    ended = runner.notebook(cells("%time", source))
    assert ended.cells[1] == [
        {"type": "html", "data": "<b>bold</b>"},
        {"type": "html", "data": "<i>italic</i>"},
    ]


def test_other_objects_tell_how_they_are_shown(runner: Runner) -> None:
    source = """
from collections import namedtuple
class Plot:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<svg></svg>"}
display(Plot())
display([namedtuple("Row", "name size")("a", 1)])
displayHTML("x" * 5_000_000)
"""
    plot, table, too_big = runner.notebook(source).cells[0]
    assert plot == {"type": "html", "data": "<svg></svg>"}
    assert table["data"]["rows"] == [["a", "1"]]
    assert too_big["data"].startswith("HTML of 5000000 characters is not shown")


def test_run_takes_arguments_for_the_other_notebooks_widgets(
    runner: Runner, tmp_path: Path
) -> None:
    (tmp_path / "greeting").write_text(
        "dbutils.widgets.text('who', 'nobody')\nwho = dbutils.widgets.get('who')\n"
        "# COMMAND ----------\n# MAGIC %run ./deeper/constants"
    )
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "constants.py").write_text("ANSWER = 42")
    run = '%run ./greeting $who="the world" $other=1'
    assert texts(runner, run, "who, ANSWER", cwd=str(tmp_path)) == ["", "('the world', 42)"]


def test_run_finds_a_path_of_the_workspace(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "Workspace" / "Shared"
    folder.mkdir(parents=True)
    (folder / "lib").write_text("X = 1")
    spec = {"mounts": str(tmp_path), "cwd": str(tmp_path)}
    assert texts(runner, "%run /Shared/lib", "X", **spec) == ["", "1"]
    assert texts(runner, "%run /Workspace/Shared/lib", "X", **spec) == ["", "1"]


def test_the_file_system_as_a_cell(runner: Runner, tmp_path: Path) -> None:
    volume = tmp_path / "Volumes" / "main" / "s" / "v"
    volume.mkdir(parents=True)
    (volume / "a.txt").write_text("content")
    ended = runner.notebook(
        cells(
            "%fs ls /Volumes/main/s/v",
            "%fs head dbfs:/Volumes/main/s/v/a.txt",
            "%fs rm -r /Volumes/main/s",
            "dbutils.fs.ls('/Volumes/main')",
        ),
        mounts=str(tmp_path),
    )
    listing, head, removed, rest = ended.cells
    assert [row[1:3] for row in listing[0]["data"]["rows"]] == [["a.txt", "7"]]
    assert head == [{"type": "text", "data": "content"}]
    assert removed == [{"type": "text", "data": "True"}]
    assert rest == [{"type": "text", "data": "[]"}]


def test_files_and_folders_know_what_they_are(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "z.txt").touch()
    source = f"[(f.name, f.isDir(), f.isFile()) for f in dbutils.fs.ls('file:{tmp_path}')]"
    assert texts(runner, source) == ["[('folder/', True, False), ('z.txt', False, True)]"]


def test_a_restart_forgets_names_and_packages_but_not_widgets(
    runner: Runner, tmp_path: Path
) -> None:
    (tmp_path / "module.py").write_text("print('imported')")
    outputs = texts(
        runner,
        "dbutils.widgets.text('w', 'kept')\nimport module, pandas\nsame = pandas",
        "%restart_python\nprint('not reached')",
        "import module, pandas, sys\n'same' in globals(), dbutils.widgets.get('w'), spark.range(1).count()",
        cwd=str(tmp_path),
    )
    assert outputs == ["imported\n", "", "imported\n(False, 'kept', 1)"]


@pytest.mark.parametrize("cell", ["%skip\nraise ValueError", "%md-sandbox\n<b>x</b>", "%md text"])
def test_cells_that_do_nothing(runner: Runner, cell: str) -> None:
    assert texts(runner, cell) == [""]


def test_all_of_the_runtimes_names_can_be_imported(runner: Runner) -> None:
    source = "from databricks.sdk.runtime import *\ndisplay, spark, getArgument, udf, table, sql"
    assert texts(runner, source, "spark.range(2).count()")[1] == "2"


def test_help(runner: Runner) -> None:
    everything, one, widgets = texts(
        runner, "dbutils.help()", "dbutils.fs.help('cp')", "dbutils.widgets.help()"
    )
    assert "fs, jobs, library, notebook, secrets, widgets" in everything
    assert one.startswith("cp(source, destination, recurse=False)\n\nCopy a file")
    assert "  get(name) -> The widget's value" in widgets
