"""The parts of a workspace that a bundle is deployed to: catalog, files, jobs, permissions, a warehouse's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from serving import CATALOG_MODULES, CatalogWorkspace, Switchboard

from local_workspace.api import app as api
from local_workspace.settings import StateDir
from local_workspace.store.jobs import JobStore
from local_workspace.store.permissions import Permissions
from local_workspace.store.workspace_files import WorkspaceFiles

MODULES = (*CATALOG_MODULES, "identity", "workspace_files", "permissions", "jobs", "sql")


class StoppedWarehouse:
    is_running = False


@dataclass
class BundleWorkspace(CatalogWorkspace):
    files: WorkspaceFiles = field(init=False)
    jobs: JobStore = field(init=False)
    permissions: Permissions = field(init=False)
    warehouse: StoppedWarehouse = field(init=False, default_factory=StoppedWarehouse)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files = WorkspaceFiles(self.db, self.state.mounts)
        self.jobs = JobStore(self.db)
        self.permissions = Permissions(self.db)


@contextmanager
def bundle_workspace(switchboard: Switchboard, root: Path) -> Iterator[BundleWorkspace]:
    """Those parts on the state folder `root`, served by the switchboard."""
    workspace = BundleWorkspace(StateDir(root), url=switchboard.url)
    with mock.patch.object(api, "API_MODULES", MODULES):
        switchboard.app = api.create_app(workspace)  # type: ignore[arg-type]
    yield workspace
    switchboard.app = None
    workspace.db.close()
