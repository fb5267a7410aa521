"""The libraries of a task: each set is installed once, in a folder of its own.

What the runtime's environment satisfies already is taken from there, as on Databricks.
"""

from __future__ import annotations

import asyncio
import compileall
import hashlib
import importlib.metadata
import itertools
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename


class LibraryError(Exception):
    """A library that cannot be installed; the message says why."""


class Libraries:
    """Installs into `folder`; a set that is there is used as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._installing: dict[str, asyncio.Lock] = {}

    async def ensure(self, wheels: Sequence[Path], requirements: Sequence[str]) -> list[str]:
        """The folders to put on `sys.path`; LibraryError where the set cannot be installed."""
        key = await asyncio.to_thread(_key, wheels, requirements)
        target = self._folder / key
        async with self._installing.setdefault(key, asyncio.Lock()):
            if not target.exists():
                await self._fill(wheels, requirements, target)
        return [str(target)]

    async def _fill(
        self, wheels: Sequence[Path], requirements: Sequence[str], target: Path
    ) -> None:
        """Fill a temporary folder and give it its name, so that `target` is whole or absent."""
        temporary = Path(tempfile.mkdtemp(prefix=".installing-", dir=self._folder))
        try:
            wanted = [_requirement(text) for text in requirements]
            for wheel in wheels:
                await asyncio.to_thread(_unpack, wheel, temporary)
                wanted += _requires(wheel)
            given = {_name(wheel) for wheel in wheels}
            needed = [item for item in wanted if canonicalize_name(item.name) not in given]
            missing = list(itertools.chain.from_iterable(map(_missing, needed)))
            if missing:
                await _install(missing, temporary)
            await asyncio.to_thread(compileall.compile_dir, temporary, quiet=2)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _key(wheels: Sequence[Path], requirements: Sequence[str]) -> str:
    """The set's content as a name: a wheel that was built again is another one."""
    digest = hashlib.sha256(repr(sorted(requirements)).encode())
    for wheel in wheels:
        digest.update(wheel.name.encode() + b"\0")
        digest.update(hashlib.sha256(wheel.read_bytes()).digest())
    return digest.hexdigest()[:32]


# Wheels


def _unpack(wheel: Path, folder: Path) -> None:
    """What an installer does for a wheel of plain packages (PEP 427)."""
    _require_compatible(wheel)
    with _opened(wheel) as archive:
        for member in archive.infolist():
            _require_inside(member, wheel)
        archive.extractall(folder)
    for data in folder.glob("*.data"):
        _place_data(data, folder)


def _place_data(data: Path, folder: Path) -> None:
    """Packages below `*.data` belong beside the others; scripts and headers are not used here."""
    for kind in ("purelib", "platlib"):
        if (data / kind).is_dir():
            shutil.copytree(data / kind, folder, dirs_exist_ok=True)
    shutil.rmtree(data)


def _name(wheel: Path) -> str:
    return parse_wheel_filename(wheel.name)[0]


def _require_compatible(wheel: Path) -> None:
    try:
        tags = parse_wheel_filename(wheel.name)[3]
    except InvalidWheelFilename as error:
        raise LibraryError(f"{wheel.name} is not a wheel's file name: {error}") from error
    if tags.isdisjoint(sys_tags()):
        expected = ", ".join(sorted(map(str, tags)))
        raise LibraryError(f"{wheel.name} is for {expected} and not for this machine's Python.")


def _require_inside(member: zipfile.ZipInfo, wheel: Path) -> None:
    path = PurePosixPath(member.filename)
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or is_link:
        raise LibraryError(f"{wheel.name} has an unsafe member: {member.filename!r}.")


def _requires(wheel: Path) -> list[Requirement]:
    """The wheel's own requirements on this machine."""
    with _opened(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        if len(names) != 1:
            raise LibraryError(f"{wheel.name} has {len(names)} METADATA files; a wheel has one.")
        metadata = HeaderParser().parsestr(archive.read(names[0]).decode())
    return list(_applying(metadata.get_all("Requires-Dist", []), extras=("",)))


def _opened(wheel: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise LibraryError(f"{wheel.name} cannot be read as a wheel: {error}") from error


# Requirements


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


async def _install(missing: Sequence[Requirement], folder: Path) -> None:
    """Install them with what they need that this environment has not."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted, overrides = Path(scratch, "wanted.txt"), Path(scratch, "overrides.txt")
        wanted.write_text("\n".join(map(str, missing)))
        # Never needed, so never installed a second time.
        there = (f"{found.name} ; python_version < '0'" for found in distributions())
        overrides.write_text("\n".join(there))
        await _uv_install("--overrides", overrides, "--target", folder, "--requirements", wanted)
    for new in distributions(path=[str(folder)]):
        for needed in _applying(new.requires or (), extras=("",)):
            list(_missing(needed))


async def _uv_install(*arguments: str | Path) -> None:
    """LibraryError with uv's message where it fails."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise LibraryError("uv is not on PATH; it is needed to install libraries from an index.")
    process = await asyncio.create_subprocess_exec(
        *(uv, "pip", "install", "--quiet", "--python", sys.executable, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise LibraryError(errors.decode(errors="replace").strip())
