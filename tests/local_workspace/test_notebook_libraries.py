"""`%pip` in a notebook, and the libraries of a task, in a whole workspace."""

from __future__ import annotations

import zipfile

from served import FOLDER, Served


def add_wheel(served: Served, name: str, source: str, version: str = "1.0") -> str:
    """The name of a wheel of one module, beside the notebooks."""
    wheel = f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(served.local(f"{FOLDER}/{wheel}"), "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_pip_installs_for_the_run_and_python_goes_on(served: Served) -> None:
    wheel = add_wheel(served, "greeter", "WORD = 'hello'")
    served.local(f"{FOLDER}/requirements.txt").write_text(f"pandas>=2\n./{wheel}\n")
    source = f"""# Databricks notebook source
before = 1
# COMMAND ----------
# MAGIC %pip install --quiet ./{wheel}
# MAGIC import greeter
# COMMAND ----------
# MAGIC %pip install -r requirements.txt
# COMMAND ----------
import subprocess, sys
code = "import greeter; print(greeter.WORD)"
word = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
dbutils.notebook.exit(f"{{before}} {{greeter.WORD}} {{word.strip()}}")
"""
    run_id = served.start_notebook(source)
    output = served.output(run_id)
    assert output.notebook_output is not None
    assert output.notebook_output.result == "1 hello hello"
    assert served.printed(run_id) == "Successfully installed greeter-1.0\n" * 2
    other = served.output(served.start_notebook("import greeter"))
    assert other.error == "ModuleNotFoundError: No module named 'greeter'"


def test_a_restart_of_python_finds_the_new_version(served: Served) -> None:
    first = add_wheel(served, "changing", "VERSION = 1")
    second = add_wheel(served, "changing", "VERSION = 2", "2.0")
    source = f"""# Databricks notebook source
# MAGIC %pip install ./{first}
# MAGIC import changing
# COMMAND ----------
# MAGIC %pip install ./{second}
# MAGIC print(changing.VERSION)
# MAGIC dbutils.library.restartPython()
# MAGIC print("not reached")
# COMMAND ----------
print("changing" in globals())
import changing
print(changing.VERSION)
"""
    run_id = served.start_notebook(source)
    assert served.output(run_id).error is None
    printed = [line for line in served.printed(run_id).splitlines() if "installed" not in line]
    assert printed == ["1", "False", "2"]


def test_what_pip_cannot_install_fails_the_cell(served: Served) -> None:
    output = served.output(served.start_notebook("# MAGIC %pip install pandas==1.0"))
    assert output.error is not None
    assert output.error.startswith(
        "PipError: pandas==1.0 is required, but the runtime has pandas 2"
    )
    output = served.output(served.start_notebook("# MAGIC %pip install -r none.txt"))
    assert output.error == (
        f"PipError: Library not found: {FOLDER}/none.txt. Deploy the bundle, or upload the file."
    )


def test_a_library_that_the_workspace_does_not_install_fails_its_task(served: Served) -> None:
    run = served.ended(served.start_notebook("pass", libraries=[{"jar": "/Volumes/a/b/c/x.jar"}]))
    assert run.tasks is not None
    assert run.tasks[0].status is not None
    details = run.tasks[0].status.as_dict()["termination_details"]
    assert details["code"] == "LIBRARY_INSTALLATION_ERROR"
    assert details["message"] == (
        "The local workspace installs whl, pypi and requirements libraries, not jar."
    )
