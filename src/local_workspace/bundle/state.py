"""What a deployment remembers, in the files and the form of the Databricks CLI's direct engine.

`resources.json` has the ids of what was deployed, `deployment.json` the uploaded files, `metadata.json` what
Databricks' pages show of a bundle. A deployment by the CLI goes on from ours, and ours from its.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_workspace.bundle.errors import IncompatibleState
from local_workspace.bundle.remote import RemoteFolder

RESOURCES_FILE = "resources.json"
FILES_FILE = "deployment.json"
METADATA_FILE = "metadata.json"

_VERSION = 2
_FEATURES_VERSION = 3
_FILES_VERSION = 1
_WRITER = "0.0.0-dev+local-workspace"


@dataclass
class Entry:
    """One deployed resource: its id, the settings that were sent, and the resources that these refer to."""

    id: str
    settings: dict[str, Any]
    depends_on: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        entry = {"__id__": self.id, "state": self.settings}
        return {**entry, "depends_on": self.depends_on} if self.depends_on else entry


class ResourceState:
    """Deployed resources by key (`resources.jobs.ingest`); each change is saved at once.

    `saved_at` (ms) is when an earlier deployment last saved them, 0 before the first.
    """

    def __init__(self, remote: RemoteFolder, local_copy: Path | None = None) -> None:
        self._remote = remote
        self._local_copy = local_copy
        self.saved_at = remote.modified_at(RESOURCES_FILE)
        stored = remote.read_json(RESOURCES_FILE) or {}
        _check_version(stored, remote.at(RESOURCES_FILE))
        self._lineage = stored.get("lineage") or str(uuid.uuid4())
        self._serial = int(stored.get("serial", 0)) + 1
        self.entries = {
            key: Entry(entry["__id__"], entry["state"], entry.get("depends_on") or [])
            for key, entry in (stored.get("state") or {}).items()
        }

    def put(self, key: str, entry: Entry) -> None:
        if self.entries.get(key) != entry:
            self.entries[key] = entry
            self.save()

    def remove(self, key: str) -> None:
        del self.entries[key]
        self.save()

    def save(self) -> None:
        """Write the state to the workspace, then the copy that the CLI reads without asking the workspace."""
        data = {
            "state_version": _VERSION,
            "cli_version": _WRITER,
            "lineage": self._lineage,
            "serial": self._serial,
            "state": {key: entry.as_json() for key, entry in sorted(self.entries.items())},
        }
        self._remote.write_json(RESOURCES_FILE, data)
        if self._local_copy is not None:
            self._local_copy.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._local_copy.with_suffix(".tmp")
            temporary.write_text(json.dumps(data, indent=1))
            temporary.replace(self._local_copy)


@dataclass
class UploadState:
    """Hashes of the files and libraries that are in the workspace; None where the CLI uploaded a file."""

    files: dict[str, str | None]
    libraries: dict[str, str]
    notebooks: frozenset[str]
    identity: str
    sequence: int

    @classmethod
    def read(cls, remote: RemoteFolder) -> UploadState:
        stored = remote.read_json(FILES_FILE) or {}
        files = stored.get("files") or []
        return cls(
            files={entry["local_path"]: entry.get("sha256") for entry in files},
            libraries=stored.get("libraries") or {},
            notebooks=frozenset(entry["local_path"] for entry in files if entry["is_notebook"]),
            identity=stored.get("id") or str(uuid.uuid4()),
            sequence=int(stored.get("seq", 0)),
        )

    def write(self, remote: RemoteFolder) -> None:
        """The CLI drops the hashes when it writes this file, so after it all files are uploaded once more."""
        data = {
            "version": _FILES_VERSION,
            "seq": self.sequence,
            "cli_version": _WRITER,
            "timestamp": datetime.now(UTC).isoformat(),
            "files": [
                {"local_path": path, "is_notebook": path in self.notebooks}
                | ({"sha256": digest} if digest else {})
                for path, digest in sorted(self.files.items())
            ],
            "id": self.identity,
            "libraries": self.libraries,
        }
        remote.write_json(FILES_FILE, data)


def write_metadata(
    remote: RemoteFolder, config: dict[str, Any], job_files: dict[str, str], job_ids: dict[str, int]
) -> None:
    """What Databricks' pages show: the bundle, its git origin and where each job is defined."""
    bundle = config["bundle"]
    git = {name: value for name, value in bundle.get("git", {}).items() if name != "actual_branch"}
    jobs = {
        key: {"id": str(job_id), "relative_path": job_files[key]} for key, job_id in job_ids.items()
    }
    shown = {name: bundle[name] for name in ("name", "target", "mode") if bundle.get(name)}
    data = {
        "version": 1,
        "config": {
            "bundle": {**shown, "git": git},
            "workspace": {"file_path": config["workspace"]["file_path"]},
            "resources": {"jobs": jobs},
            "presets": {"source_linked_deployment": False},
        },
        "extra": {},
    }
    remote.write_json(METADATA_FILE, data)


def _check_version(stored: dict[str, Any], path: str) -> None:
    version = stored.get("state_version", _VERSION)
    if version == _FEATURES_VERSION and not stored.get("features"):
        return
    if version != _VERSION:
        raise IncompatibleState(
            f"{path} has the version {version}; the local deployer knows {_VERSION}. "
            "Deploy with the Databricks CLI that wrote it."
        )
