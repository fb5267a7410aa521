"""What a command needs: the Spark session, whose current schema completes names, and Unity Catalog."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote as percent_encoded
from urllib.parse import urlsplit
from urllib.request import url2pathname

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from pyspark.sql import DataFrame, SparkSession

from local_workspace.errors import InvalidParameterValue
from local_workspace.paths import resolve
from local_workspace.sql.conditions import no_such_path
from local_workspace.sql.cursor import Name
from local_workspace.sql.identifiers import quote

UNITY_CATALOG = "/api/2.1/unity-catalog"
_MOUNTED = "/mounts/Volumes/"
"""A parameter of a task has the path that a volume has on this machine."""


@dataclass(frozen=True)
class VolumePath:
    """A path below a volume, as it is on Databricks (`/Volumes/...`) and on this machine."""

    path: str
    local: Path
    mounts: Path

    @classmethod
    def resolved(cls, path: str, mounts: Path) -> VolumePath:
        """SqlError where the path leads out of the volumes."""
        try:
            return cls(path, resolve(mounts, path), mounts)
        except InvalidParameterValue as refused:
            raise no_such_path(path, refused.message) from refused

    def child(self, relative: str) -> VolumePath:
        return self.resolved(f"{self.path}/{relative}", self.mounts)


class Context:
    def __init__(self, session: SparkSession) -> None:
        self.session = session

    def call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """A route of the workspace; raises DatabricksError."""
        api = _client().api_client
        in_query = method in ("GET", "DELETE")
        answer: Any = (
            api.do(method, path, query=body) if in_query else api.do(method, path, body=body)
        )
        return answer if isinstance(answer, dict) else {}

    def object(self, kind: str, name: Name) -> dict[str, Any]:
        """A schema, table or volume by its full name; NotFound where there is none."""
        return self.call("GET", f"{UNITY_CATALOG}/{kind}/{encoded(name)}")

    def catalogs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"{UNITY_CATALOG}/catalogs")["catalogs"]
        return found

    def spark_remote(self) -> str:
        """Where a session sees all catalogs that there are."""
        remote: str = self.call("GET", "/api/local/status")["spark_remote"]
        return remote

    def full_name(self, name: Name, parts: int) -> Name:
        """The name with its current catalog and schema in front, where it lacks them."""
        current = (self.session.catalog.currentCatalog(), self._current_schema())
        return (*current[: parts - len(name)], *name) if len(name) < parts else name

    def _current_schema(self) -> str:
        # Sail puts the catalog in front.
        return self.session.catalog.currentDatabase().rpartition(".")[2]

    def frame(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> DataFrame:
        """Rows of a command's result; `columns` are names and SQL types."""
        schema = ", ".join(f"{quote(name)} {kind}" for name, kind in columns)
        if not rows:
            return self.session.createDataFrame([], schema)
        return self.session.createDataFrame([tuple(row) for row in rows], schema)

    def volume_path(self, path: str) -> VolumePath:
        """The path in a statement; SqlError where it is not below a volume."""
        _, is_local, below = path.rpartition(_MOUNTED)
        mounted = f"/Volumes/{below}" if is_local else path.removeprefix("dbfs:")
        parts = tuple(part for part in mounted.split("/") if part)
        if not mounted.startswith("/Volumes/") or len(parts) < 4:
            raise no_such_path(path, "it must begin with /Volumes/<catalog>/<schema>/<volume>")
        try:
            volume = self.object("volumes", parts[1:4])
        except NotFound as missing:
            raise no_such_path(path, str(missing)) from missing
        stored = "/".join(("", "Volumes", *_stored(volume), *parts[4:]))
        return VolumePath.resolved(stored, folder_of(volume).parents[3])


@cache
def _client() -> WorkspaceClient:
    """The process finds the workspace by its environment, as every task does."""
    host, token = os.environ["DATABRICKS_HOST"], os.environ["DATABRICKS_TOKEN"]
    return WorkspaceClient(host=host, token=token, auth_type="pat")


def encoded(name: Name) -> str:
    """A full name as a part of a URL."""
    return percent_encoded(dotted(name), safe="")


def dotted(name: Name) -> str:
    """A name as messages of Databricks show it, every part quoted."""
    return ".".join(map(quote, name))


def folder_of(securable: dict[str, Any]) -> Path:
    """Where the files of a table or volume are."""
    return Path(url2pathname(urlsplit(securable["storage_location"]).path))


def _stored(volume: dict[str, Any]) -> tuple[str, str, str]:
    return volume["catalog_name"], volume["schema_name"], volume["name"]
