"""`dbutils.notebook.run`: runs of their own, which the caller waits for and which end with it."""

from __future__ import annotations

from databricks.sdk.service.jobs import BaseRun, RunType
from served import Served
from support.waiting import wait_until

FOREVER = "import time\nprint('ready', flush=True)\ntime.sleep(1000)"


def runs_of(served: Served, name: str) -> list[BaseRun]:
    """All runs of the notebook, newest first."""
    listed = served.client.jobs.list_runs(run_type=RunType.WORKFLOW_RUN, expand_tasks=True)
    return [run for run in listed if run.run_name == f"/Workspace/Shared/served/{name}"]


def outcomes_of(served: Served, name: str) -> list[str]:
    states = [run.state.result_state for run in runs_of(served, name) if run.state]
    return [state.value if state else "" for state in states]


def test_another_notebook_gives_its_exit_value(served: Served) -> None:
    served.add_notebook(
        "double", "x = dbutils.widgets.get('x')\nprint('in', x)\ndbutils.notebook.exit(x * 2)"
    )
    run_id = served.start_notebook("""
results = [dbutils.notebook.run(path, 60, {"x": "ab"}) for path in ("double", "./double", "/Shared/served/double")]
dbutils.notebook.exit(",".join(results))
""")
    output = served.output(run_id)
    assert output.notebook_output is not None
    assert output.notebook_output.result == "abab,abab,abab"
    child = runs_of(served, "double")[0]
    assert child.trigger_info is not None
    assert output.metadata is not None
    assert child.trigger_info.run_id == output.metadata.run_id
    assert child.run_type is RunType.WORKFLOW_RUN
    (view,) = served.client.jobs.export_run(run_id).views or ()
    assert f"Notebook job #{child.run_id}: {child.run_page_url}" in (view.content or "")


def test_without_exit_there_is_no_value_and_many_run_at_once(served: Served) -> None:
    served.add_notebook("silent", "print('nothing')")
    source = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda _: dbutils.notebook.run("silent"), range(4))))
"""
    run_id = served.start_notebook(source)
    served.ended(run_id)
    assert served.printed(run_id) == "[None, None, None, None]\n"
    assert outcomes_of(served, "silent") == ["SUCCESS"] * 4


def test_a_notebook_that_fails_raises_in_the_caller(served: Served) -> None:
    served.add_notebook("boom", "raise ValueError('boom')")
    served.add_notebook("forever", FOREVER)
    result = served.result("""
messages = []
for path, seconds in (("boom", 0), ("absent", 0), ("forever", 1)):
    try:
        dbutils.notebook.run(path, seconds)
    except Exception as error:
        messages.append(f"{type(error).__name__}: {error}")
dbutils.notebook.exit("\\n".join(messages))
""")
    assert result is not None
    begin = (
        "WorkflowException: com.databricks.WorkflowException: "
        "com.databricks.NotebookExecutionException: "
    )
    failed, absent, late = result.splitlines()
    assert failed.startswith(
        f"{begin}FAILED: Workload failed, see run output for details: ValueError: boom (Notebook job"
    )
    assert absent.startswith(
        f"{begin}FAILED: Path (/Workspace/Shared/served/absent) doesn't exist. (Notebook job #"
    )
    assert late.startswith(f"{begin}TIMEDOUT: Timed out after")
    assert outcomes_of(served, "forever") == ["TIMEDOUT"]


def test_cancelling_the_caller_cancels_what_it_waits_for(served: Served) -> None:
    served.add_notebook("waiting", FOREVER)
    run_id = served.start_notebook("dbutils.notebook.run('waiting', 0)")
    wait_until(lambda: len(runs_of(served, "waiting")) == 1, "the child's run")
    child_run_id = runs_of(served, "waiting")[0].run_id
    assert child_run_id is not None
    wait_until(lambda: served.printed(child_run_id) == "ready\n", "the child's output")
    served.client.jobs.cancel_run(run_id)
    served.ended(run_id)
    served.ended(child_run_id)
    assert outcomes_of(served, "waiting") == ["CANCELED"]


def test_what_the_caller_does_not_wait_for_ends_with_it(served: Served) -> None:
    served.add_notebook("abandoned", FOREVER)
    served.result("""
import threading, time
from databricks.sdk import WorkspaceClient
threading.Thread(target=dbutils.notebook.run, args=("abandoned",), daemon=True).start()
names = lambda: [run.run_name for run in WorkspaceClient().jobs.list_runs(active_only=True)]
while "/Workspace/Shared/served/abandoned" not in names():
    time.sleep(0.02)
""")
    wait_until(lambda: outcomes_of(served, "abandoned") == ["CANCELED"], "the child's cancellation")


def test_a_notebook_that_runs_itself_comes_to_an_end(served: Served) -> None:
    path = served.add_notebook("ouroboros", "dbutils.notebook.run('ouroboros')")
    output = served.output(served.submit(notebook_task={"notebook_path": path}))
    assert output.error is not None
    assert "Notebooks can run notebooks 10 deep in the local workspace." in output.error
    assert outcomes_of(served, "ouroboros") == ["FAILED"] * 10


def test_the_context_of_a_notebook(served: Served) -> None:
    run_id = served.start_notebook("""
import json
context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
told = json.loads(context.toJson())
tags = context.tags()
print(context.notebookPath().get() == told["extraContext"]["notebook_path"], tags.get("none").isDefined())
print(told["currentRunId"]["id"], tags.get("multitaskParentRunId").get(), tags.get("taskKey").get())
print(context.apiToken().get() in context.toJson())
context.clusterId()
""")
    output = served.output(run_id)
    assert output.metadata is not None
    assert served.printed(run_id).splitlines()[:3] == [
        "True False",
        f"{output.metadata.run_id} {run_id} t",
        "False",
    ]
    assert output.error == (
        "AttributeError: The notebook's context has no clusterId in the local workspace."
    )
