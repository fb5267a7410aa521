"""Files in the workspace, as a deployment reads and writes them."""

from __future__ import annotations

import base64
import json
import posixpath
from typing import Any
from urllib.parse import quote

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound


class RemoteFolder:
    """A folder of the workspace; names are relative to it."""

    def __init__(self, client: WorkspaceClient, path: str) -> None:
        self._client = client
        self._path = path

    def at(self, name: str) -> str:
        """The full path of a name."""
        return posixpath.normpath(posixpath.join(self._path, name))

    def make(self, name: str = ".") -> None:
        """Make a folder with its parents."""
        self._client.workspace.mkdirs(self.at(name))

    def write(self, name: str, content: bytes, *, overwrite: bool = True) -> None:
        """Write a file whose folder exists; ResourceAlreadyExists (SDK) unless `overwrite`."""
        self._client.api_client.do(
            "POST",
            f"/api/2.0/workspace-files/import-file/{quote(self.at(name).lstrip('/'), safe='@')}",
            query={"overwrite": "true" if overwrite else "false"},
            headers={"Content-Type": "application/octet-stream"},
            data=content,
        )

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The object in a JSON file; None where there is no file."""
        try:
            exported = self._client.workspace.export(self.at(name))
        except NotFound:
            return None
        data = json.loads(base64.b64decode(exported.content or ""))
        return data if isinstance(data, dict) else None

    def modified_at(self, name: str) -> int:
        """When it was last written, in milliseconds; 0 where there is nothing."""
        try:
            return self._client.workspace.get_status(self.at(name)).modified_at or 0
        except NotFound:
            return 0

    def write_json(self, name: str, data: dict[str, Any], *, overwrite: bool = True) -> None:
        """As `write`, with an object as JSON."""
        self.write(name, json.dumps(data, indent=1).encode(), overwrite=overwrite)

    def delete(self, name: str, *, recursive: bool = False) -> None:
        """Delete what may already be gone."""
        try:
            self._client.workspace.delete(self.at(name), recursive=recursive)
        except NotFound:
            return
