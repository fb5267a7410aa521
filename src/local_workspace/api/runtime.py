"""What a task's process asks of its workspace, under `/api/local`: libraries of a notebook, runs of other notebooks."""

from __future__ import annotations

from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import InvalidParameterValue
from local_workspace.execution.libraries import LibraryError
from local_workspace.execution.library_set import LibrarySet
from local_workspace.execution.notebook_run import NotebookRequest
from local_workspace.models.json_types import conform
from local_workspace.paths import to_databricks

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


async def install_libraries(workspace: Workspace, params: Params) -> dict[str, Any]:
    """The folder with what the words after `%pip install` ask for, and what was installed into it."""
    wanted = LibrarySet(workspace.state.mounts)
    try:
        wanted.add_arguments(params.required_text("arguments"), params.required_text("folder"))
        path = await workspace.libraries.ensure(wanted)
    except LibraryError as error:
        raise InvalidParameterValue(str(error)) from error
    installed = sorted(f"{found.name}-{found.version}" for found in distributions(path=[path]))
    return {"path": path, "installed": installed}


def run_notebook(workspace: Workspace, params: Params) -> dict[str, Any]:
    """The id of the run that `dbutils.notebook.run` waits for."""
    given = conform(params.object("arguments"), dict[str, str], "arguments")
    mounts = workspace.state.mounts
    request = NotebookRequest(
        path=params.required_text("notebook_path"),
        timeout_seconds=params.integer("timeout_seconds", 0),
        arguments={name: to_databricks(value, mounts) for name, value in given.items()},
    )
    run = workspace.conductor.run_notebook(params.required_integer("task_run_id"), request)
    return {"run_id": run.run_id}


routes = [
    endpoint("POST", "/api/local/libraries", install_libraries),
    endpoint("POST", "/api/local/notebook-runs", run_notebook),
]
