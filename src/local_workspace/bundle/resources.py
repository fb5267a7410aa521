"""Creating, changing and deleting each kind of resource through the API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from local_workspace.bundle.errors import DestructiveChange

_UNITY_CATALOG = "/api/2.1/unity-catalog"
_JOBS = "/api/2.2/jobs"

MayTake = Callable[[str, int | None], bool]
"""Gets an id and when it was made (ms; None where there can be only one of its name)."""


class Kind(ABC):
    """What can be done with the resources of one kind; settings are the JSON that the API gets."""

    def __init__(self, client: WorkspaceClient) -> None:
        self._client = client

    @abstractmethod
    def find(self, settings: dict[str, Any], may_take: MayTake) -> str | None:
        """The id of one that fits the settings and that the deployment `may_take`."""

    @abstractmethod
    def create(self, settings: dict[str, Any]) -> str:
        """Create it; its id."""

    @abstractmethod
    def update(self, identity: str, settings: dict[str, Any]) -> str:
        """Change it to the settings; its id, which a new name may change. NotFound (SDK) if it is gone."""

    @abstractmethod
    def delete(self, identity: str, key: str) -> None:
        """Delete it; DestructiveChange where data would go with it."""

    @abstractmethod
    def read(self, identity: str) -> dict[str, Any]:
        """What the workspace says about it, for references to fields that the bundle does not set."""

    @abstractmethod
    def url(self, identity: str) -> str:
        """The path of its page."""

    def _do(
        self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any
    ) -> dict[str, Any]:
        answer = self._client.api_client.do(method, path, query=query or None, body=body)
        assert isinstance(answer, dict)
        return answer


class Jobs(Kind):
    def find(self, settings: dict[str, Any], may_take: MayTake) -> str | None:
        for job in self._client.jobs.list(name=settings["name"]):
            deployment = job.settings.deployment if job.settings else None
            path = deployment.metadata_file_path if deployment else None
            is_ours = path == settings["deployment"]["metadata_file_path"]
            if is_ours and may_take(str(job.job_id), job.created_time):
                return str(job.job_id)
        return None

    def create(self, settings: dict[str, Any]) -> str:
        return str(self._do("POST", f"{_JOBS}/create", settings)["job_id"])

    def update(self, identity: str, settings: dict[str, Any]) -> str:
        self._do("POST", f"{_JOBS}/reset", {"job_id": int(identity), "new_settings": settings})
        return identity

    def delete(self, identity: str, key: str) -> None:  # noqa: ARG002
        try:
            self._do("POST", f"{_JOBS}/delete", {"job_id": int(identity)})
        except NotFound:
            return

    def read(self, identity: str) -> dict[str, Any]:
        job = self._do("GET", f"{_JOBS}/get", job_id=identity)
        return {**job.pop("settings"), **job}

    def url(self, identity: str) -> str:
        return f"/jobs/{identity}"


class _CatalogObjects(Kind):
    """Schemas and volumes: the id is the full name."""

    path: str
    page: str
    name_fields: tuple[str, ...]

    def find(self, settings: dict[str, Any], may_take: MayTake) -> str | None:
        identity = self._full_name(settings)
        try:
            self.read(identity)
        except NotFound:
            return None
        return identity if may_take(identity, None) else None

    def create(self, settings: dict[str, Any]) -> str:
        return str(self._do("POST", f"{_UNITY_CATALOG}/{self.path}", settings)["full_name"])

    def update(self, identity: str, settings: dict[str, Any]) -> str:
        found = self.read(identity)
        changes = self._changes(identity, found, settings)
        if changes:
            found = self._do("PATCH", self._object_path(identity), changes)
        return str(found["full_name"])

    def delete(self, identity: str, key: str) -> None:
        try:
            self.read(identity)
        except NotFound:
            return
        raise DestructiveChange(
            f"{key} is no longer in the bundle; deleting {identity} would delete its data. Put it back, or delete it "
            "by hand first (databricks bundle deploy --auto-approve deletes it)."
        )

    def read(self, identity: str) -> dict[str, Any]:
        return self._do("GET", self._object_path(identity))

    def url(self, identity: str) -> str:
        return f"/explore/data/{self.page}" + identity.replace(".", "/")

    def _object_path(self, identity: str) -> str:
        return f"{_UNITY_CATALOG}/{self.path}/{quote(identity, safe='')}"

    def _full_name(self, settings: dict[str, Any]) -> str:
        return ".".join(settings[field] for field in self.name_fields).lower()

    def _changes(
        self, identity: str, found: dict[str, Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        """The fields to change, of those that can be changed in place."""
        comment = settings.get("comment", "")
        changes = {} if comment == (found.get("comment") or "") else {"comment": comment}
        return {**changes, **self._own_changes(identity, found, settings)}

    @abstractmethod
    def _own_changes(
        self, identity: str, found: dict[str, Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        """As `_changes`, but for the comment."""

    def _would_delete(self, identity: str, wanted: str) -> DestructiveChange:
        return DestructiveChange(
            f"{identity} would have to be deleted, with its data, to become {wanted}. Give it its name back, or "
            "delete it by hand first (databricks bundle deploy --auto-approve does both)."
        )


class Schemas(_CatalogObjects):
    path = "schemas"
    page = ""
    name_fields = ("catalog_name", "name")

    def _own_changes(
        self, identity: str, found: dict[str, Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        wanted = self._full_name(settings)
        if wanted != identity.lower():
            raise self._would_delete(identity, wanted)
        properties = settings.get("properties", found.get("properties"))
        return {} if properties == found.get("properties") else {"properties": properties}


class Volumes(_CatalogObjects):
    path = "volumes"
    page = "volumes/"
    name_fields = ("catalog_name", "schema_name", "name")

    def _own_changes(
        self, identity: str, found: dict[str, Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        schema, _, name = identity.lower().rpartition(".")
        wanted = self._full_name(settings)
        if wanted.rpartition(".")[0] != schema:
            raise self._would_delete(identity, wanted)
        if settings["volume_type"] != found.get("volume_type", settings["volume_type"]):
            raise self._would_delete(identity, f"a volume of type {settings['volume_type']}")
        return {} if settings["name"].lower() == name else {"new_name": settings["name"]}


def all_kinds(client: WorkspaceClient) -> dict[str, Kind]:
    """The kinds by their name in a bundle."""
    return {"jobs": Jobs(client), "schemas": Schemas(client), "volumes": Volumes(client)}
