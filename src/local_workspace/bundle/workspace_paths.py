"""Where a deployment goes in the workspace."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from local_workspace.bundle.errors import InvalidSetting
from local_workspace.bundle.located import Located, map_texts

_SUBFOLDERS = {
    "file_path": "files",
    "resource_path": "resources",
    "artifact_path": "artifacts",
    "state_path": "state",
}
PATHS = ("root_path", *_SUBFOLDERS)
_PREFIXED_REFERENCE = re.compile(r"/Workspace/?(\$\{workspace\.(?:" + "|".join(PATHS) + r")\})")


def with_default_paths(
    workspace: dict[str, Any], bundle: dict[str, Any], user: dict[str, Any]
) -> dict[str, Any]:
    """The `workspace` section with all paths, `~` expanded, `/Workspace` in front, and the user."""
    if not bundle.get("name"):
        raise InvalidSetting("The bundle has no name; set `bundle.name` in databricks.yml.")
    root = workspace.get("root_path") or f"~/.bundle/{bundle['name']}/{bundle['target']}"
    if root.startswith("~/"):
        root = posixpath.join(f"/Workspace/Users/{user['userName']}", root[2:])
    paths = {"root_path": root}
    for name, folder in _SUBFOLDERS.items():
        paths[name] = workspace.get(name) or posixpath.join(root, folder)
    prefixed = {name: _with_prefix(path) for name, path in paths.items()}
    return {**workspace, **prefixed, "current_user": user}


def without_doubled_prefix(value: Any) -> Any:
    """`/Workspace${workspace.root_path}` and the like without the prefix, which the path has already."""

    def shortened(text: str) -> str:
        short = _PREFIXED_REFERENCE.sub(r"\1", text)
        return text.same_place(short) if isinstance(text, Located) else short

    return map_texts(value, shortened)


def _with_prefix(path: str) -> str:
    if path.startswith("/") and not path.startswith(("/Workspace/", "/Volumes/")):
        return f"/Workspace{path}"
    return path
