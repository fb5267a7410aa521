"""Deploying a bundle: build, upload, create or change, remember.

The same steps as `databricks bundle deploy`, with the same result in the workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

from local_workspace.bundle import artifact, permissions, state, sync
from local_workspace.bundle.apply import Applier, order, set_permissions
from local_workspace.bundle.libraries import INTERNAL_FOLDER, Libraries
from local_workspace.bundle.lock import deployment_lock
from local_workspace.bundle.remote import RemoteFolder
from local_workspace.bundle.resolve import Resolved, resolve_bundle

_JOB_PREFIX = "resources.jobs."


@dataclass(frozen=True)
class Deployed:
    """One resource in the workspace; `key` is its path in the bundle, such as `jobs.ingest`."""

    key: str
    id: str
    url: str


@dataclass(frozen=True)
class Summary:
    """What a deployment has led to; as text, one line per resource."""

    target: str
    resources: list[Deployed]
    uploaded: int

    @property
    def job_ids(self) -> dict[str, int]:
        """The jobs' ids by their key in the bundle."""
        prefix = "jobs."
        return {
            resource.key.removeprefix(prefix): int(resource.id)
            for resource in self.resources
            if resource.key.startswith(prefix)
        }

    def __str__(self) -> str:
        width = max((len(resource.key) for resource in self.resources), default=0)
        lines = [f"  {resource.key:{width}}  {resource.url}" for resource in self.resources]
        return "\n".join([f"deployed to {self.target}, {self.uploaded} files uploaded", *lines])


def deploy(
    root: Path,
    target: str | None,
    variables: Mapping[str, str],
    client: WorkspaceClient,
    progress: Callable[[str], None],
    *,
    force_lock: bool = False,
) -> Summary:
    """Deploy the bundle in `root` to `target` (None: the default); `progress` gets a line per step.

    `force_lock` takes over the lock of a deployment that has died.
    Raises a BundleError that names what is wrong and the remedy; what the API refuses comes as the SDK's errors.
    """
    root = root.resolve()
    progress("resolving the bundle")
    resolved = resolve_bundle(root, target, variables, client)
    config = resolved.config
    order(config.get("resources", {}))
    files = sync.hash_files(root, sync.list_files(root, **_patterns(config)))
    built = _build(config, progress)
    libraries = Libraries(root, f"{config['workspace']['artifact_path']}/{INTERNAL_FOLDER}", built)
    for key, job in config.get("resources", {}).get("jobs", {}).items():
        libraries.replace_in(job, f"{_JOB_PREFIX}{key}")

    remote = RemoteFolder(client, config["workspace"]["state_path"])
    lock = config["bundle"].get("deployment", {}).get("lock", {})
    lock = {**lock, "force": force_lock or lock.get("force", False)}
    user = config["workspace"]["current_user"]["userName"]
    with deployment_lock(remote, lock, user):
        progress("uploading files")
        uploaded = _upload(root, config, files, libraries.files, remote, client)
        _share_folder(config, client)
        progress("deploying resources")
        return _apply(root, resolved, remote, client, uploaded)


def deployed_job_ids(root: Path, target: str | None, client: WorkspaceClient) -> dict[str, int]:
    """The ids of the jobs that are deployed, by their key in the bundle; empty before the first deployment."""
    config = resolve_bundle(root.resolve(), target, {}, client).config
    remote = RemoteFolder(client, config["workspace"]["state_path"])
    return _job_ids(state.ResourceState(remote))


def _patterns(config: dict[str, Any]) -> dict[str, list[str]]:
    return {name: config["sync"].get(name, []) for name in ("include", "exclude")}


def _build(config: dict[str, Any], progress: Callable[[str], None]) -> list[Path]:
    """Build all artifacts; their files."""
    built: list[Path] = []
    for name, settings in config.get("artifacts", {}).items():
        artifact.build(name, settings, progress)
        built += artifact.files_of(settings)
    return built


def _upload(
    root: Path,
    config: dict[str, Any],
    files: dict[str, str],
    libraries: list[Path],
    remote: RemoteFolder,
    client: WorkspaceClient,
) -> int:
    """Bring libraries and files up to date; the number of uploaded or deleted ones."""
    known = state.UploadState.read(remote)
    known.sequence += 1

    def save() -> None:
        known.write(remote)

    workspace = config["workspace"]
    internal = RemoteFolder(client, f"{workspace['artifact_path']}/{INTERNAL_FOLDER}")
    target = RemoteFolder(client, workspace["file_path"])
    uploaded = sync.upload_libraries(libraries, known, internal, save)
    uploaded += sync.upload_files(root, files, known, target, save)
    if uploaded:
        save()
    return uploaded


def _share_folder(config: dict[str, Any], client: WorkspaceClient) -> None:
    """Give the bundle's permissions on the folder that it is deployed to."""
    shared = config.get("permissions", [])
    if not shared:
        return
    folder = client.workspace.get_status(config["workspace"]["root_path"])
    levels = [{**entry, "level": permissions.DIRECTORY_LEVELS[entry["level"]]} for entry in shared]
    set_permissions(client, f"/directories/{folder.object_id}", levels)


def _apply(
    root: Path, resolved: Resolved, remote: RemoteFolder, client: WorkspaceClient, uploaded: int
) -> Summary:
    config = resolved.config
    target = config["bundle"]["target"]
    local_copy = root / ".databricks" / "bundle" / target / state.RESOURCES_FILE
    deployed = state.ResourceState(remote, local_copy)
    applier = Applier(config.get("resources", {}), deployed, client)
    applier.apply()
    state.write_metadata(remote, config, resolved.job_files, _job_ids(deployed))
    resources = [
        Deployed(key.removeprefix("resources."), entry.id, client.config.host + applier.url(key))
        for key, entry in sorted(deployed.entries.items())
        if not key.endswith(".permissions")
    ]
    return Summary(target, resources, uploaded)


def _job_ids(deployed: state.ResourceState) -> dict[str, int]:
    return {
        key.removeprefix(_JOB_PREFIX): int(entry.id)
        for key, entry in deployed.entries.items()
        if key.startswith(_JOB_PREFIX) and not key.endswith(".permissions")
    }
