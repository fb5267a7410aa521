"""How the command line reaches the running workspace: through the same SDK and API as everyone else."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import StateDir, read_env_file

RETRY_SECONDS = 10
"""Longer than a restart of the workspace takes."""


def connect(state: StateDir) -> WorkspaceClient:
    """A client of the workspace that runs on `state`; LocalWorkspaceError where none does.

    A call raises TimeoutError where the workspace has ended meanwhile: within seconds, not the SDK's five minutes.
    """
    values = read_env_file(state.env_file)
    host = values.get("DATABRICKS_HOST", "")
    if not host or not _answers(host):
        raise LocalWorkspaceError(
            f"No local workspace runs on {state.root}. Start one with `make workspace` (or `make up`)."
        )
    config = Config(
        host=host,
        token=values["DATABRICKS_TOKEN"],
        auth_type="pat",
        retry_timeout_seconds=RETRY_SECONDS,
    )
    return WorkspaceClient(config=config)


def _answers(host: str) -> bool:
    address = urlsplit(host)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=2):
            return True
    except OSError:
        return False
