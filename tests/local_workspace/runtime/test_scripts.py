"""Python wheels and Python files as tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Ended, Runner


def install(folder: Path, source: str, entry_points: str = "") -> str:
    """A package `shop`, as an installer leaves it in `folder`."""
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text(source)
    metadata = folder / "shop-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    return str(folder)


def run_wheel(runner: Runner, folder: str, entry_point: str, *argv: str, **spec: Any) -> Ended:
    names = {"package_name": "shop", "entry_point": entry_point, "argv": list(argv)}
    return runner.run("python_wheel", sys_path=[folder], **names, **spec)


def test_an_entry_point_is_found_in_the_metadata(runner: Runner, tmp_path: Path) -> None:
    source = "import sys\ndef main():\n    print(sys.argv)\n    return 5\n"
    folder = install(tmp_path, source, "[packages]\nopen = shop:main\n")
    ended = run_wheel(runner, folder, "open", "--day=1", "two words")
    assert ended.result is None
    assert ended.output == "['shop', '--day=1', 'two words']\n"


def test_else_a_function_of_the_package_is_called(runner: Runner, tmp_path: Path) -> None:
    folder = install(tmp_path, "def close():\n    print('closed')\n")
    assert run_wheel(runner, folder, "close").output == "closed\n"
    assert run_wheel(runner, folder, "absent").error == (
        "LookupError: The package 'shop' has no entry point and no function named 'absent'; "
        "check python_wheel_task.entry_point."
    )


def test_a_package_that_is_not_installed(runner: Runner, tmp_path: Path) -> None:
    ended = run_wheel(runner, str(tmp_path), "main")
    assert ended.error == "ModuleNotFoundError: No module named 'shop'"


def test_the_installed_package_wins_over_sources_of_this_repository(
    runner: Runner, tmp_path: Path
) -> None:
    (tmp_path / "renewables.py").write_text("def where():\n    print(__file__)\n")
    names = {"package_name": "renewables", "entry_point": "where", "argv": []}
    ended = runner.run("python_wheel", sys_path=[str(tmp_path)], **names)
    assert ended.output == f"{tmp_path}/renewables.py\n"
    without = runner.run("python_wheel", **names)
    assert without.error == "ModuleNotFoundError: No module named 'renewables'"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise SystemExit('no data')", "SystemExit: no data"),
        ("raise KeyError('year')", "KeyError: 'year'"),
        ("raise ValueError('first\\nsecond')", "ValueError: first"),
        ("raise ValueError", "ValueError"),
        ("raise ExceptionGroup('both', [ValueError(1)])", "ExceptionGroup: both (1 sub-exception)"),
    ],
)
def test_how_a_failure_is_told(runner: Runner, tmp_path: Path, source: str, error: str) -> None:
    folder = install(tmp_path, f"def main():\n    {source}\n")
    ended = run_wheel(runner, folder, "main")
    assert ended.error == error
    assert f'File "{folder}/shop/__init__.py", line 2, in main' in ended.last["trace"]
    assert "local_workspace" not in ended.last["trace"]


def test_the_task_has_ended_when_its_threads_and_exit_handlers_have(
    runner: Runner, tmp_path: Path
) -> None:
    source = """
import atexit, threading, time

def work():
    while threading.main_thread().is_alive(): time.sleep(.01)
    print("thread")

def main():
    atexit.register(print, "exit handler")
    threading.Thread(target=work).start()
    print("main")
"""
    ended = run_wheel(runner, install(tmp_path, source), "main")
    assert ended.output == "main\nthread\nexit handler\n"
    assert ended.result is None


def test_databricks_names_in_a_package(runner: Runner, tmp_path: Path) -> None:
    source = """
import os
from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import dbutils, display, spark
from dbruntime.databricks_repl_context import get_context

def main():
    dbutils.jobs.taskValues.set("rows", spark.range(4).count())
    display(spark.sql("SELECT 'x' AS letter"))
    print(get_context().jobId, get_context().workspaceUrl, os.environ["SPARK_REMOTE"])
    dbutils.notebook.exit("early")
"""
    ended = run_wheel(runner, install(tmp_path, source), "main")
    assert ended.task_values() == {"rows": 4}
    assert ended.result == "early"
    assert ended.output == f"letter\n     x\n1 None {runner.remote}\n"


def test_a_subprocess_has_the_libraries_too(runner: Runner, tmp_path: Path) -> None:
    source = """
import subprocess, sys
def main():
    subprocess.run([sys.executable, "-c", "import shop; print(shop.__name__)"], check=True)
"""
    assert run_wheel(runner, install(tmp_path, source), "main").output == "shop\n"


def test_a_python_file(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("NAME = 'helper'\n")
    file = tmp_path / "script.py"
    file.write_text(
        "import sys, helper\nif __name__ == '__main__':\n"
        "    print(sys.argv[1:], helper.NAME, spark.range(2).count())\n    raise ValueError('boom')\n"
    )
    ended = runner.run("spark_python", file=str(file), argv=["a", "b"])
    assert ended.output.startswith("['a', 'b'] helper 2\n")
    assert ended.error == "ValueError: boom"
    assert ended.last["trace"] == (
        f'Traceback (most recent call last):\n  File "{file}", line 4, in <module>\n'
        "    raise ValueError('boom')\nValueError: boom\n"
    )
