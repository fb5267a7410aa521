"""The bundle's files as one configuration, before a target is chosen."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_workspace.bundle import yaml_file
from local_workspace.bundle.conform import conform
from local_workspace.bundle.errors import BundleNotFound, DuplicateKey, InvalidSetting, MissingFile
from local_workspace.bundle.merge import merge
from local_workspace.bundle.schema import File

ROOT_FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")


@dataclass(frozen=True)
class Loaded:
    """`config` is the merged files; `job_files` says in which file each job stands (relative to the root)."""

    config: dict[str, Any]
    job_files: dict[str, str]


def load(root: Path) -> Loaded:
    """databricks.yml and what it includes, in order.

    Raises BundleNotFound, InvalidYaml, MissingFile, MergeConflict, DuplicateKey,
    InvalidSetting, UnsupportedSetting.
    """
    root_file = _root_file(root)
    config = _read(root, root_file)
    included = _included(root, root_file, config.get("include") or [])
    merged: dict[str, Any] = {}
    places: dict[str, tuple[str, str]] = {}
    for file, content in {
        root_file: config,
        **{file: _read(root, file) for file in included},
    }.items():
        merged = merge(merged, {key: value for key, value in content.items() if key != "include"})
        _record_resources(file, content.get("resources", {}), places)
    job_files = {key: file for key, (kind, file) in places.items() if kind == "jobs"}
    return Loaded({**merged, "include": included}, job_files)


def _record_resources(
    file: str, resources: dict[str, Any], places: dict[str, tuple[str, str]]
) -> None:
    """Note the kind and file of each resource; a key is one resource's, whatever its kind."""
    for kind, keys in resources.items():
        for key in keys:
            if key in places:
                other_kind, other_file = places[key]
                raise DuplicateKey(
                    f"{file}: resources.{kind}.{key} has the key of resources.{other_kind}.{key} in "
                    f"{other_file}; rename one (only targets may add to a resource)."
                )
            places[key] = (kind, file)


def _root_file(root: Path) -> str:
    found = [name for name in ROOT_FILES if (root / name).is_file()]
    if not found:
        raise BundleNotFound(f"{root} has no {ROOT_FILES[0]}; run this in a bundle's folder.")
    if len(found) > 1:
        raise BundleNotFound(f"{root} has {' and '.join(found)}; keep one of them.")
    return found[0]


def _included(root: Path, root_file: str, patterns: list[str]) -> list[str]:
    """The files that the patterns match, each once: in the order of the patterns, then by name."""
    included: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(Path(match).as_posix() for match in glob.glob(pattern, root_dir=root))
        if not matches and not glob.has_magic(pattern):
            raise MissingFile(f"{root_file}: include names {pattern}, which does not exist.")
        for match in matches:
            if not match.endswith((".yml", ".yaml", ".json")):
                raise InvalidSetting(
                    f"{root_file}: include names {match}, which is not YAML or JSON."
                )
            included[match] = None
    return [file for file in included if file not in ROOT_FILES]


def _read(root: Path, file: str) -> dict[str, Any]:
    content: dict[str, Any] = conform(yaml_file.read(root, file), File, "", file)
    return content
