"""A set of libraries, as tasks, environments, requirements files and `%pip install` ask for it.

https://docs.databricks.com/api/workspace/jobs/create (`libraries`, `environments`),
https://pip.pypa.io/en/stable/cli/pip_install, as far as a notebook needs it.
"""

from __future__ import annotations

import argparse
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from local_workspace.errors import ApiError
from local_workspace.paths import resolve, to_local
from local_workspace.runtime.wheel import LibraryError, Wheel

_URL_OPTIONS = ("--index-url", "--extra-index-url", "--find-links")
"""Handed to uv, which has them too."""
_WHEEL = re.compile(r"(?P<path>.+\.whl)(?:\[(?P<extras>[\w, -]*)\])?")
_LOCAL = re.compile(r"[./].*|dbfs:.*|.*\.(whl(\[.*\])?|tar\.gz|zip)")


class LibrarySet:
    """Paths are absolute, or relative to a `folder` of the workspace; `mounts` is where they are on this machine.

    What the local workspace cannot install raises LibraryError where it is added.
    """

    def __init__(self, mounts: Path) -> None:
        self._mounts = mounts
        self._files: set[str] = set()
        self.wheels: list[Wheel] = []
        self.requirements: list[str] = []
        self.options: list[str] = []
        """uv's, for where the requirements are found."""

    def __bool__(self) -> bool:
        return bool(self.wheels or self.requirements)

    def add_library(self, library: Mapping[str, Any]) -> None:
        """An entry of a task's `libraries`."""
        match library:
            case {"whl": path}:
                self._add(path, "/")
            case {"pypi": pypi}:
                self._add(pypi["package"], "/")
                if pypi.get("repo"):
                    self.options += ["--index-url", pypi["repo"]]
            case {"requirements": path}:
                self._add_file(path)
            case _:
                kind = next(iter(library), "empty")
                raise LibraryError(
                    f"The local workspace installs whl, pypi and requirements libraries, not {kind}."
                )

    def add_line(self, line: str, folder: str) -> None:
        """A line of a requirements file, or one of an environment's `dependencies`."""
        text = line.partition(" #")[0].strip()
        if text.startswith("-"):
            self.add_arguments(text, folder)
        elif text and not text.startswith("#"):
            self._add(text, folder)

    def add_arguments(self, text: str, folder: str) -> None:
        """What follows `%pip install`."""
        given, unknown = _PARSER.parse_known_intermixed_args(_words(text))
        if unknown:
            raise LibraryError(f"The local workspace does not have the option {unknown[0]} of pip.")
        for word in given.wanted:
            self._add(word, folder)
        for name in _URL_OPTIONS:
            for value in getattr(given, name.strip("-").replace("-", "_")) or ():
                self.options += [name, to_local(value, self._mounts)]
        if given.pre:
            self.options.append("--prerelease=allow")
        for path in given.requirement or ():
            self._add_file(_joined(folder, path))

    def _add(self, text: str, folder: str) -> None:
        if "://" in text or not _LOCAL.fullmatch(text):
            self.requirements.append(text)
        elif wheel := _WHEEL.fullmatch(text):
            extras = tuple(filter(None, re.split("[, ]+", wheel["extras"] or "")))
            self.wheels.append(Wheel(self._local(_joined(folder, wheel["path"])), extras))
        else:
            raise LibraryError(f"{text} is not a wheel; build one of it and install that.")

    def _add_file(self, path: str) -> None:
        """A file of requirements, which may name others."""
        if path in self._files:
            return
        self._files.add(path)
        try:
            lines = self._local(path).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LibraryError(f"Could not read the requirements file {path}: {error}") from error
        for line in lines:
            self.add_line(line, posixpath.dirname(path))

    def _local(self, path: str) -> Path:
        try:
            local = resolve(self._mounts, path.removeprefix("dbfs:"))
        except ApiError as error:
            raise LibraryError(error.message) from error
        if not local.is_file():
            raise LibraryError(f"Library not found: {path}. Deploy the bundle, or upload the file.")
        return local


def _joined(folder: str, path: str) -> str:
    return path if path.startswith("dbfs:") else posixpath.normpath(posixpath.join(folder, path))


def _words(text: str) -> Sequence[str]:
    """As a shell reads them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise LibraryError(f"{text!r} cannot be read: {error}.") from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LibraryError(f"%pip install: {message}.")


def _parser() -> _Parser:
    parser = _Parser(prog="%pip install", add_help=False, allow_abbrev=False)
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("-r", "--requirement", action="append")
    parser.add_argument("-i", "--index-url", action="append")
    parser.add_argument("--extra-index-url", action="append")
    parser.add_argument("-f", "--find-links", action="append")
    parser.add_argument("--pre", action="store_true")
    # A set is always installed anew and quietly.
    for names in (("-q", "--quiet"), ("-U", "--upgrade"), ("-I", "--force-reinstall")):
        parser.add_argument(*names, action="count")
    parser.add_argument("--no-cache-dir", "--disable-pip-version-check", action="store_true")
    return parser


_PARSER = _parser()
