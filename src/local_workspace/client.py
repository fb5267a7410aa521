"""How the command line reaches the running workspace: through the same SDK and API as everyone else."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from databricks.sdk import WorkspaceClient

from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import StateDir, read_env_file


def connect(state: StateDir) -> WorkspaceClient:
    """A client of the workspace that runs on `state`; LocalWorkspaceError where none does."""
    values = read_env_file(state.env_file)
    host = values.get("DATABRICKS_HOST", "")
    if not host or not _answers(host):
        raise LocalWorkspaceError(
            f"No local workspace runs on {state.root}. Start one with `make workspace` (or `make up`)."
        )
    return WorkspaceClient(host=host, token=values["DATABRICKS_TOKEN"], auth_type="pat")


def _answers(host: str) -> bool:
    address = urlsplit(host)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=2):
            return True
    except OSError:
        return False
