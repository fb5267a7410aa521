"""Installs a set of libraries into a folder, in a process of its own, so that it ends with the task process server.

What the runtime's environment satisfies already is taken from there, as on Databricks.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.wheel import LibraryError, Wheel


def run(spec: Message, channel: Channel) -> str | None:
    """Install into `folder`; why that cannot be, or None.

    Spec: `wheels` as pairs of a path and extras, `requirements`, uv's `options`.
    """
    channel.send("started")
    wheels = [Wheel(Path(path), tuple(extras)) for path, extras in spec["wheels"]]
    try:
        install(wheels, spec["requirements"], spec["options"], Path(spec["folder"]))
    except LibraryError as error:
        return str(error)
    return None


def install(
    wheels: Sequence[Wheel], requirements: Sequence[str], options: Sequence[str], folder: Path
) -> None:
    """Fill `folder` with the set; LibraryError where that cannot be."""
    wanted = [_requirement(text) for text in requirements]
    for wheel in wheels:
        wheel.unpack(folder)
        wanted += _applying(wheel.requires(), extras=("", *wheel.extras))
    given = {wheel.name for wheel in wheels}
    needed = [item for item in wanted if canonicalize_name(item.name) not in given]
    missing = list(itertools.chain.from_iterable(map(_missing, needed)))
    if missing:
        _install_missing(missing, options, folder)
    compileall.compile_dir(folder, quiet=2)


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise LibraryError(f"{text!r} is not a requirement: {error}") from error


def _applying(texts: Iterable[str], extras: Iterable[str]) -> Iterator[Requirement]:
    """Those whose markers hold here with one of the extras."""
    for requirement in map(_requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def _missing(requirement: Requirement) -> Iterator[Requirement]:
    """What this environment lacks of the requirement and its extras; LibraryError for a conflict."""
    try:
        found = importlib.metadata.distribution(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        yield requirement
        return
    if requirement.url or not requirement.specifier.contains(found.version, prereleases=True):
        raise LibraryError(
            f"{requirement} is required, but the runtime has {found.name} {found.version}, which "
            "its processes have loaded already. Require what the runtime has, or change the runtime."
        )
    optional = [text for text in found.requires or () if "extra ==" in text]
    for needed in _applying(optional, requirement.extras):
        yield from _missing(needed)


def _install_missing(missing: Sequence[Requirement], options: Sequence[str], folder: Path) -> None:
    """Install them with what they need that this environment has not."""
    # Inside of the folder, so that whoever removes that leaves nothing of a killed installation.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wanted, overrides = Path(scratch, "wanted.txt"), Path(scratch, "overrides.txt")
        wanted.write_text("\n".join(map(str, missing)))
        # Never needed, so never installed a second time.
        there = (f"{found.name} ; python_version < '0'" for found in distributions())
        overrides.write_text("\n".join(there))
        _uv_install(
            *("--overrides", overrides, "--target", folder, "--requirements", wanted), *options
        )
    for new in distributions(path=[str(folder)]):
        for needed in _applying(new.requires or (), extras=("",)):
            list(_missing(needed))


def _uv_install(*arguments: str | Path) -> None:
    """LibraryError with uv's message where it fails."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise LibraryError("uv is not on PATH; it is needed to install libraries from an index.")
    command = (uv, "pip", "install", "--quiet", "--python", sys.executable, *arguments)
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode:
        raise LibraryError(ended.stderr.strip())
