"""A wheel file: what it needs, and its packages in a folder (PEP 427)."""

from __future__ import annotations

import shutil
import stat
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename


class LibraryError(Exception):
    """A library that cannot be installed; the message says why."""


@dataclass(frozen=True)
class Wheel:
    """The file, and those of its optional requirements that are wanted."""

    path: Path
    extras: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The package's normalized name; LibraryError where the file's name is not a wheel's."""
        try:
            return parse_wheel_filename(self.path.name)[0]
        except InvalidWheelFilename as error:
            message = f"{self.path.name} is not a wheel's file name: {error}"
            raise LibraryError(message) from error

    def unpack(self, folder: Path) -> None:
        """What an installer does for a wheel of plain packages; LibraryError for an unsafe one."""
        self._require_compatible()
        with self._opened() as archive:
            for member in archive.infolist():
                self._require_inside(member)
            archive.extractall(folder)
        for data in folder.glob("*.data"):
            _place_data(data, folder)

    def requires(self) -> list[str]:
        """The requirements of its metadata, with their markers."""
        with self._opened() as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            if len(names) != 1:
                raise LibraryError(
                    f"{self.path.name} has {len(names)} METADATA files; a wheel has one."
                )
            metadata = HeaderParser().parsestr(archive.read(names[0]).decode())
        return [str(text) for text in metadata.get_all("Requires-Dist", [])]

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile) as error:
            raise LibraryError(f"{self.path.name} cannot be read as a wheel: {error}") from error

    def _require_compatible(self) -> None:
        assert self.name
        tags = parse_wheel_filename(self.path.name)[3]
        if tags.isdisjoint(sys_tags()):
            expected = ", ".join(sorted(map(str, tags)))
            raise LibraryError(
                f"{self.path.name} is for {expected} and not for this machine's Python."
            )

    def _require_inside(self, member: zipfile.ZipInfo) -> None:
        path = PurePosixPath(member.filename)
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or is_link:
            raise LibraryError(f"{self.path.name} has an unsafe member: {member.filename!r}.")


def _place_data(data: Path, folder: Path) -> None:
    """Packages below `*.data` belong beside the others; scripts and headers are not used here."""
    for kind in ("purelib", "platlib"):
        if (data / kind).is_dir():
            shutil.copytree(data / kind, folder, dirs_exist_ok=True)
    shutil.rmtree(data)
