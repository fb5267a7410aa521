"""Databricks mounts `/Workspace` and `/Volumes` at the root of each machine; here they are folders.

These are the only translations between the two. They apply to text that is handed to a task or comes
from one (parameters, task values, SQL) and to the paths in requests.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from local_workspace.errors import InvalidParameterValue

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4000
"""Below PATH_MAX, with room for the names of temporary files."""

_BOUNDARY = r"""(?:(?<=["'`\s=(,])|^)"""
"""A path begins a text or follows one of these; so `s3://bucket/Volumes/x` holds none."""

_MOUNTED = re.compile(rf"{_BOUNDARY}(?:dbfs:|(file:(?://)?))?(?=/(?:Volumes|Workspace)/)")


def to_local(text: str, mounts: Path) -> str:
    """`text` with the mounted paths in it as paths of this machine, for a task that opens them.

    `dbfs:/Volumes/...` becomes a plain path; `file:` in front of a path stays.
    """
    return _MOUNTED.sub(lambda match: f"{match[1] or ''}{mounts}", text)


def to_databricks(text: str, mounts: Path) -> str:
    """The inverse of `to_local`: `text` with paths under `mounts` as they are on Databricks."""
    local = rf"{_BOUNDARY}(file:(?://)?)?{re.escape(str(mounts))}(?=/(?:Volumes|Workspace)/)"
    return re.sub(local, lambda match: match[1] or "", text)


def resolve(mounts: Path, path: str) -> Path:
    """Where a mounted path is on this machine, whether it exists or not.

    Raises InvalidParameterValue for a path that is not below `/Workspace` or `/Volumes`, is too long,
    has a part that is no name (`.`, `..`, a NUL, too long), or leads out of its mount through a
    symbolic link.
    """
    local = _local(mounts, path)
    _require_inside(mounts, path, local)
    return local


def resolve_entry(mounts: Path, path: str) -> Path:
    """As `resolve`, for what stands in its folder by that name: a link itself, wherever it leads."""
    local = _local(mounts, path)
    _require_inside(mounts, path, local.parent if local.parent != mounts else local)
    return local


def _local(mounts: Path, path: str) -> Path:
    root, *parts = _parts(path)
    if root not in ("Workspace", "Volumes"):
        raise InvalidParameterValue(f"Path '{path}' must begin with /Workspace/ or /Volumes/.")
    for part in parts:
        if part in (".", "..") or "\0" in part or len(part.encode()) > MAX_NAME_BYTES:
            raise InvalidParameterValue(
                f"Path '{path}' has a part that is not a valid name: '{part}'."
            )
    local = mounts.joinpath(root, *parts)
    if len(os.fsencode(local)) > MAX_PATH_BYTES:
        raise InvalidParameterValue(f"Path '{path}' is too long for this machine's file system.")
    return local


def _require_inside(mounts: Path, path: str, local: Path) -> None:
    root = local.relative_to(mounts).parts[0]
    if not stays_inside(mounts / root, local):
        raise InvalidParameterValue(f"Path '{path}' leads out of /{root} through a symbolic link.")


def stays_inside(mount: Path, local: Path) -> bool:
    """Whether no link leads from `local` out of the mount."""
    # Not Path.resolve, which raises where links form a circle.
    return Path(os.path.realpath(local)).is_relative_to(os.path.realpath(mount))


def is_unicode(name: str) -> bool:
    """Whether a file's name can be sent: one that is no UTF-8 is read with surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(path: str) -> list[str]:
    """The names between the slashes; doubled and trailing slashes collapse."""
    if not path.startswith("/"):
        raise InvalidParameterValue(f"Path '{path}' must be absolute.")
    return [part for part in path.split("/") if part] or [""]
