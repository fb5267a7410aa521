"""The server starts without the SDK's client, which is still there for who asks for it."""

from __future__ import annotations

import subprocess
import sys

SERVER = """
import importlib, sys
from local_workspace.sdk_types import import_client_on_demand
import_client_on_demand()
from local_workspace import server
from local_workspace.api.app import API_MODULES
for name in API_MODULES:
    importlib.import_module("local_workspace.api." + name)
print("databricks.sdk.service.ml" in sys.modules)
import databricks.sdk
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import JobsAPI
print(databricks.sdk.WorkspaceClient is WorkspaceClient, databricks.sdk.JobsAPI is JobsAPI)
import_client_on_demand()
print(databricks.sdk.WorkspaceClient is WorkspaceClient)
"""


def test_the_client_is_imported_on_demand() -> None:
    ran = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True)
    assert (ran.stdout.split(), ran.stderr) == (["False", "True", "True", "True"], "")
