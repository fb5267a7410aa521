"""Bringing the workspace's resources in line with a bundle, in the order of their references."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from local_workspace.bundle import interpolate
from local_workspace.bundle.errors import ReferenceCycle, UnknownVariable
from local_workspace.bundle.resources import Kind, all_kinds
from local_workspace.bundle.state import Entry, ResourceState

_NOT_SENT = frozenset({"permissions", "volume_path"})


def order(resources: dict[str, Any]) -> list[str]:
    """The keys (`resources.jobs.ingest`), each after those that it refers to.

    Raises UnknownVariable for a reference to a resource that the bundle has not, ReferenceCycle for a circle.
    """
    graph = {
        key: {node for node, _ in _dependencies(settings)}
        for key, settings in _by_key(resources).items()
    }
    for key, nodes in graph.items():
        for node in sorted(nodes - graph.keys()):
            raise UnknownVariable(f"{key} refers to {node}, which the bundle does not have.")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ReferenceCycle(f"{circle} refer to each other; break the circle.") from error


class Applier:
    """Creates, changes and deletes; `state` is saved after each step."""

    def __init__(
        self, resources: dict[str, Any], state: ResourceState, client: WorkspaceClient
    ) -> None:
        self._settings = _by_key(resources)
        self._state = state
        self._client = client
        self._kinds = all_kinds(client)
        self._order = order(resources)

    def apply(self) -> None:
        """Make all resources of the bundle, then remove those that it no longer has."""
        for key in self._order:
            self._apply_one(key)
        self._remove_others()

    def url(self, key: str) -> str:
        """The path of a deployed resource's page."""
        return self._kind(key).url(self._state.entries[key].id)

    def _apply_one(self, key: str) -> None:
        written = self._settings[key]
        settings = interpolate.resolve(written, self._look_up)
        self._settings[key] = settings
        sent = {name: value for name, value in settings.items() if name not in _NOT_SENT}
        entry = Entry(self._deploy(key, sent), sent, _depends_on(written))
        self._state.put(key, entry)
        if settings.get("permissions"):
            self._apply_permissions(key, settings["permissions"])

    def _deploy(self, key: str, settings: dict[str, Any]) -> str:
        kind = self._kind(key)
        known = self._state.entries.get(key)
        identity = known.id if known else kind.find(settings, self._may_take)
        if identity is not None:
            try:
                return kind.update(identity, settings)
            except NotFound:
                pass  # Somebody has deleted it: it is made anew, as the CLI does.
        return kind.create(settings)

    def _may_take(self, identity: str, created_at: int | None) -> bool:
        """Whether an object is of a key that the bundle no longer has, or of a deployment that died before it saved.

        One that is older than the state and not in it has been unbound (`databricks bundle deployment unbind`).
        """
        keys = [key for key, entry in self._state.entries.items() if entry.id == identity]
        if keys:
            return not any(key in self._settings for key in keys)
        return created_at is None or created_at >= self._state.saved_at

    def _apply_permissions(self, key: str, permissions: list[dict[str, Any]]) -> None:
        object_path = f"/jobs/{self._state.entries[key].id}"
        set_permissions(self._client, object_path, permissions)
        reference = {"node": key, "label": f"${{{key}.id}}"}
        settings = {"object_id": object_path, "__embed__": permissions}
        self._state.put(f"{key}.permissions", Entry(object_path, settings, [reference]))

    def _remove_others(self) -> None:
        """Delete what only the state has; an object that another key has taken over stays.

        Jobs come last: what holds data may refuse, and then nothing has been deleted yet.
        """
        others = [key for key in self._state.entries if not self._is_current(key)]
        for key in sorted(others, key=lambda key: key.startswith("resources.jobs.")):
            identity = self._state.entries[key].id
            if not key.endswith(".permissions") and identity not in self._taken():
                self._kind(key).delete(identity, key)
            self._state.remove(key)

    def _is_current(self, key: str) -> bool:
        parent = key.removesuffix(".permissions")
        return parent in self._settings and (
            parent == key or bool(self._settings[parent].get("permissions"))
        )

    def _taken(self) -> set[str]:
        return {entry.id for key, entry in self._state.entries.items() if key in self._settings}

    def _kind(self, key: str) -> Kind:
        return self._kinds[key.split(".")[1]]

    def _look_up(self, path: interpolate.Path) -> Any:
        """A field of another resource: its id, what the bundle sets, or else what the workspace says."""
        if path[0] != "resources" or len(path) < 4:
            raise interpolate.Unresolved
        key = _node(path)
        if path[3:] == ("id",):
            return self._state.entries[key].id
        try:
            return interpolate.pick(self._settings[key], path[3:])
        except interpolate.NotFound:
            return interpolate.pick(self._kind(key).read(self._state.entries[key].id), path[3:])


def set_permissions(
    client: WorkspaceClient, object_path: str, permissions: list[dict[str, Any]]
) -> None:
    """Make these the only direct permissions on an object such as `/jobs/123`."""
    requested = [
        {"permission_level" if name == "level" else name: value for name, value in entry.items()}
        for entry in permissions
    ]
    client.api_client.do(
        "PUT", f"/api/2.0/permissions{object_path}", body={"access_control_list": requested}
    )


def _by_key(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"resources.{kind}.{name}": settings
        for kind in ("schemas", "volumes", "jobs")
        for name, settings in resources.get(kind, {}).items()
    }


def _dependencies(settings: dict[str, Any]) -> set[tuple[str, str]]:
    """The resources that settings refer to, each with the reference."""
    return {
        (_node(path), f"${{{interpolate.path_text(path)}}}")
        for path in interpolate.references(settings)
        if path[0] == "resources" and len(path) > 3
    }


def _depends_on(settings: dict[str, Any]) -> list[dict[str, str]]:
    return [{"node": node, "label": label} for node, label in sorted(_dependencies(settings))]


def _node(path: interpolate.Path) -> str:
    return interpolate.path_text(path[:3])
