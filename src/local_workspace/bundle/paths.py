"""Relative paths in jobs: from where the YAML file stands to where the deployed file is.

https://docs.databricks.com/en/dev-tools/bundles/settings.html (relative paths)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from local_workspace.bundle.errors import MissingFile
from local_workspace.bundle.jobs import tasks_of
from local_workspace.bundle.located import Located, place, rooted
from local_workspace.store import notebooks

_PIP_FLAG = re.compile(r"(?P<flag>-r|-c|-e|--requirement|--constraint|--editable) +(?P<path>.+)")
_NOTEBOOK_EXTENSIONS = (".py", ".sql", ".scala", ".r", ".ipynb")


@dataclass(frozen=True)
class Slot:
    """Where a path stands: `holder[name]`, found at `key`; `translate` gives its value for the API."""

    holder: Any
    name: Any
    key: str
    translate: Callable[[str, str], str]


class PathTranslator:
    """Translates for one bundle: local files below `root`, deployed to `file_path`."""

    def __init__(self, root: Path, file_path: str) -> None:
        self._root = root
        self._file_path = file_path

    def translate(self, job: dict[str, Any], key: str) -> None:
        """Replace all relative paths in a job; MissingFile for one that leads to no fitting file."""
        if job.get("git_source"):
            return
        for slot in [*self._task_slots(job, key), *self._environment_slots(job, key)]:
            value = slot.holder[slot.name]
            if is_local(value):
                slot.holder[slot.name] = slot.translate(value, slot.key)

    def _task_slots(self, job: dict[str, Any], key: str) -> Iterator[Slot]:
        for task in tasks_of(job):
            where = f"{key}.{task.get('task_key')}"
            for path, translate in (
                (("notebook_task", "notebook_path"), self._notebook),
                (("spark_python_task", "python_file"), self._file),
                (("sql_task", "file", "path"), self._file),
                (("dbt_task", "project_directory"), self._directory),
            ):
                holder = _descend(task, path[:-1])
                if path[-1] in holder:
                    yield Slot(holder, path[-1], ".".join((where, *path)), translate)
            for library in task.get("libraries", []):
                for kind in {"whl", "jar"} & library.keys():
                    yield Slot(library, kind, f"{where}.libraries.{kind}", self._library)
                if "requirements" in library:
                    yield Slot(library, "requirements", f"{where}.libraries", self._file)

    def _environment_slots(self, job: dict[str, Any], key: str) -> Iterator[Slot]:
        for environment in job.get("environments", []):
            dependencies = environment.get("spec", {}).get("dependencies", [])
            where = f"{key}.environments.{environment.get('environment_key')}"
            for index, dependency in enumerate(dependencies):
                if _PIP_FLAG.fullmatch(dependency):
                    yield Slot(dependencies, index, where, self._flag)
                elif is_local_library(dependency):
                    yield Slot(dependencies, index, where, self._dependency)

    def _notebook(self, value: str, key: str) -> str:
        path = self._relative(value, key)
        local = self._root / path
        if not local.is_file():
            raise MissingFile(
                f"{place(value)}{key} names the notebook {value}, {self._hint(path)}."
            )
        if notebooks.detect_language(path, local) is None:
            raise MissingFile(
                f"{place(value)}{key} names {value}, which is a file and not a notebook: its first line is "
                "not `Databricks notebook source` in a comment."
            )
        return posixpath.join(self._file_path, notebooks.without_extension(path))

    def _file(self, value: str, key: str) -> str:
        path = self._relative(value, key)
        local = self._root / path
        if not local.is_file():
            raise MissingFile(f"{place(value)}{key} names the file {value}, which does not exist.")
        if notebooks.detect_language(path, local) is not None:
            raise MissingFile(
                f"{place(value)}{key} names {value}, which is a notebook and not a file."
            )
        return posixpath.join(self._file_path, path)

    def _directory(self, value: str, key: str) -> str:
        path = self._relative(value, key)
        if not (self._root / path).is_dir():
            raise MissingFile(f"{place(value)}{key} names {value}, which is no directory.")
        return posixpath.join(self._file_path, path)

    def _library(self, value: str, key: str) -> str:
        return self._relative(value, key, may_leave=True)

    def _dependency(self, value: str, key: str) -> str:
        path = self._relative(value, key, may_leave=True)
        return path if path.startswith(".") else f"./{path}"

    def _flag(self, value: str, key: str) -> str:
        match = _PIP_FLAG.fullmatch(value)
        assert match is not None
        path = match["path"].strip()
        if not is_local(path):
            return value
        file = value.same_place(path) if isinstance(value, Located) else path
        return f"{match['flag']} {self._file(file, key)}"

    def _relative(self, value: str, key: str, *, may_leave: bool = False) -> str:
        """A path relative to the root; it was relative to the file that it stands in."""
        path = rooted(value)
        if path.startswith("..") and not may_leave:
            raise MissingFile(
                f"{place(value)}{key} names {value}, which is outside of the bundle's folder and is not deployed."
            )
        return path

    def _hint(self, path: str) -> str:
        for extension in _NOTEBOOK_EXTENSIONS:
            if (self._root / (path + extension)).is_file():
                return f"which does not exist; did you mean {posixpath.basename(path)}{extension}"
        return "which does not exist"


def is_local(path: str) -> bool:
    """Whether a path is one of this machine: relative and without a scheme."""
    return not path.startswith("/") and not urlsplit(path).scheme


def is_local_library(dependency: str) -> bool:
    """Whether a dependency is a path and not a package's name and version."""
    if dependency.startswith("."):
        return True
    if dependency.startswith("-") or not is_local(dependency):
        return False
    try:
        Requirement(dependency)
    except InvalidRequirement:
        return True
    return False


def _descend(task: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        task = task.get(name) or {}
    return task
