"""Zip archives: what an import of a folder brings, and what an export of one gives."""

from __future__ import annotations

import os
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from local_workspace.errors import InvalidParameterValue, RequestTooLarge
from local_workspace.store.regular_files import open_regular

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 500 * 1024 * 1024
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""No entry of a zip archive is older."""


def unpack(archive: Path, folder: Path) -> list[str]:
    """Write the archive's files below `folder`; answers with their paths relative to it.

    Raises InvalidParameterValue, before anything is written, for an entry whose name leads out of the folder, a
    link or an archive in the archive; RequestTooLarge where it unpacks to too much; InvalidParameterValue also for
    an archive that is broken or encrypted.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            _check_size(entries)
            for entry in entries:
                _check_entry(entry)
            for entry in entries:
                _unpack_one(opened, entry, folder / entry.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise InvalidParameterValue(f"The zip archive cannot be read: {error}") from error
    return [entry.filename for entry in entries]


def pack(files: Iterable[tuple[str, Path]], archive: Path) -> None:
    """Write a zip archive of (name in the archive, file)."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as opened:
        for name, file in files:
            with open_regular(file) as content, opened.open(_entry(name, content), "w") as packed:
                shutil.copyfileobj(content, packed)


def _entry(name: str, content: BinaryIO) -> zipfile.ZipInfo:
    status = os.fstat(content.fileno())
    entry = zipfile.ZipInfo(name, max(time.localtime(status.st_mtime)[:6], EARLIEST))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (status.st_mode & 0xFFFF) << 16
    entry.file_size = status.st_size
    return entry


def _check_size(entries: list[zipfile.ZipInfo]) -> None:
    # An entry is never unpacked beyond the size that it declares.
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or size > MAX_UNPACKED_BYTES:
        raise RequestTooLarge(
            f"The zip archive unpacks to {len(entries)} files of {size} bytes; the limits are "
            f"{MAX_ENTRIES} files and {MAX_UNPACKED_BYTES} bytes."
        )


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    parts = name.split("/")
    if "\\" in name or "\0" in name or not {"", ".", ".."}.isdisjoint(parts):
        raise InvalidParameterValue(f"The zip archive has an entry with an invalid path: {name!r}.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InvalidParameterValue(f"The zip archive has a symbolic link: {name!r}.")
    if name.lower().endswith(".zip"):
        raise InvalidParameterValue(f"The zip archive has another zip archive in it: {name!r}.")


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed, target.open("xb") as file:
        shutil.copyfileobj(packed, file)
