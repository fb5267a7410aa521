"""Building what a bundle ships, and finding the built files."""

from __future__ import annotations

import glob
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from local_workspace.bundle.errors import (
    BuildFailed,
    InvalidSetting,
    MissingWheel,
    UnsupportedSetting,
)
from local_workspace.bundle.located import rooted


def with_paths(artifacts: dict[str, Any], root: Path) -> dict[str, Any]:
    """Artifacts with absolute folders and, for a wheel, `dist/*.whl` as its files."""
    return {name: _with_paths(name, artifact, root) for name, artifact in artifacts.items()}


def build(name: str, artifact: dict[str, Any], progress: Callable[[str], None]) -> None:
    """Run the artifact's build command, if it has one; BuildFailed with the command's output."""
    command = artifact.get("build")
    if not command:
        return
    progress(f"building {name}")
    _run(name, command, Path(artifact["path"]))
    if not files_of(artifact):
        patterns = ", ".join(file["source"] for file in artifact["files"])
        raise BuildFailed(f"The build of artifact {name} ({command}) made no file {patterns}.")


def files_of(artifact: dict[str, Any]) -> list[Path]:
    """The built files, of each distribution the newest wheel."""
    return [
        path for file in artifact["files"] for path in _newest(sorted(glob.glob(file["source"])))
    ]


def find_libraries(root: Path, pattern: str, where: str) -> list[Path]:
    """The files that a library's path (relative to `root`) names; MissingWheel without one."""
    found = _newest(sorted(glob.glob(str(root / pattern))))
    if not found:
        raise MissingWheel(
            f"{where} names the library {pattern}, and no file matches; state the artifact that builds it."
        )
    return found


def _with_paths(name: str, artifact: dict[str, Any], root: Path) -> dict[str, Any]:
    if artifact.get("type", "whl") != "whl":
        raise UnsupportedSetting(
            f"artifacts.{name}.type is {artifact['type']!r}; the local deployer builds wheels (whl) only."
        )
    if not artifact.get("build") and not artifact.get("files"):
        raise InvalidSetting(f"artifacts.{name} needs a `build` command or `files`.")
    folder = _absolute(artifact.get("path", "."), root)
    if not folder.is_dir():
        raise InvalidSetting(f"artifacts.{name}.path is {artifact['path']}, which is no directory.")
    files = artifact.get("files") or [{"source": str(folder / "dist" / "*.whl")}]
    absolute = [{"source": str(_absolute(file["source"], root))} for file in files]
    return {**artifact, "path": str(folder), "files": absolute}


def _absolute(path: str, root: Path) -> Path:
    return Path(os.path.normpath(root / rooted(path)))


def _run(name: str, command: str, folder: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(
            f"The build of artifact {name} ({command}) failed with exit code {done.returncode}:\n"
            f"{done.stdout.strip()}"
        )


def _newest(paths: list[str]) -> list[Path]:
    """Of several wheels of one distribution only the newest; other files all."""
    kept: dict[str, tuple[Any, str]] = {}
    for path in paths:
        try:
            distribution, version, *_ = parse_wheel_filename(Path(path).name)
        except InvalidWheelFilename:
            kept[path] = (None, path)
            continue
        if distribution not in kept or version > kept[distribution][0]:
            kept[distribution] = (version, path)
    return [Path(path) for _, path in kept.values()]
