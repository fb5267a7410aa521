"""Local libraries in jobs: from a pattern of files to the path that these are uploaded to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_workspace.bundle import artifact
from local_workspace.bundle.errors import InvalidSetting
from local_workspace.bundle.jobs import tasks_of
from local_workspace.bundle.paths import is_local, is_local_library

INTERNAL_FOLDER = ".internal"
_KINDS = ("whl", "jar")
_EXTRAS = re.compile(r"(?P<path>.+\.whl)(?P<extras>\[[^]]*\])?")


class Libraries:
    """Finds the local files that jobs name; `files` are all that must be uploaded to `remote_folder`."""

    def __init__(self, root: Path, remote_folder: str, built: list[Path]) -> None:
        self._root = root
        self._remote_folder = remote_folder
        self._by_name = {path.name: path for path in built}

    @property
    def files(self) -> list[Path]:
        return [self._by_name[name] for name in sorted(self._by_name)]

    def replace_in(self, job: dict[str, Any], key: str) -> None:
        """Replace local libraries by their remote paths; MissingWheel where no file matches."""
        for task in tasks_of(job):
            if "libraries" in task:
                where = f"{key}.{task.get('task_key')}"
                task["libraries"] = list(self._task_libraries(task["libraries"], where))
        for environment in job.get("environments", []):
            spec = environment.get("spec", {})
            if "dependencies" in spec:
                where = f"{key}.environments.{environment.get('environment_key')}"
                spec["dependencies"] = list(self._dependencies(spec["dependencies"], where))

    def _task_libraries(
        self, libraries: list[dict[str, Any]], where: str
    ) -> Iterator[dict[str, Any]]:
        for library in libraries:
            kind = next((kind for kind in _KINDS if kind in library), None)
            if kind is None or not is_local(library[kind]):
                yield library
                continue
            for path in artifact.find_libraries(self._root, library[kind], where):
                yield {kind: self._remote_path(path)}

    def _dependencies(self, dependencies: list[str], where: str) -> Iterator[str]:
        for dependency in dependencies:
            if not is_local_library(dependency):
                yield dependency
                continue
            match = _EXTRAS.fullmatch(dependency)
            pattern = match["path"] if match else dependency
            extras = match["extras"] or "" if match else ""
            for path in artifact.find_libraries(self._root, pattern, where):
                yield self._remote_path(path) + extras

    def _remote_path(self, path: Path) -> str:
        known = self._by_name.setdefault(path.name, path)
        if known.resolve() != path.resolve():
            raise InvalidSetting(
                f"The libraries {known} and {path} have the same name; rename one."
            )
        return posixpath.join(self._remote_folder, path.name)
