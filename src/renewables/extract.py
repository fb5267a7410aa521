"""extract: one source file into the landing folder, under the hash of its content."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from renewables import remote
from renewables.credentials import storage_options
from renewables.errors import UnfitFile
from renewables.files import temporary_file
from renewables.landing import UNFIT, LandedFile, record
from renewables.parameters import parameters
from renewables.remote import CHUNK_BYTES, Options
from renewables.retries import retried
from renewables.sources import parse_header

GZIP_MARK = b"\x1f\x8b"


def main() -> None:
    """Land the CSV at `file_uri` in the folder `landing`."""
    # Outside of a Databricks runtime this import asks for credentials.
    from databricks.sdk.runtime import dbutils

    given = parameters("file_uri", "landing", secret_scope="")
    options = storage_options(dbutils, given["secret_scope"])
    file, is_new = extract(given["file_uri"], Path(given["landing"]), options)
    print(f"{file.source_file} {'landed as' if is_new else 'was landed before, as'} {file.path}")


def extract(
    file_uri: str, landing: Path, options: Options | None = None
) -> tuple[LandedFile, bool]:
    """The landed copy of a file, unpacked if it is gzip, and whether it is new; the same content lands once.

    The memory used does not depend on the size. A copy gets its name when it is whole, so a killed
    extract leaves nothing that load would see. A file that no source's header begins is landed too:
    load puts it into quarantine. Raises SourceUnreachable.
    """
    with temporary_file(landing) as temporary, temporary_file(landing) as unpacked:
        with remote.reaching(file_uri):
            modified_at, content_hash = retried(lambda: _download(file_uri, temporary, options))
        if _is_gzip(temporary) and (unpacked_hash := _unpack(temporary, unpacked)):
            file = _place(unpacked, unpacked_hash, landing, file_uri, modified_at)
            return file, _land(unpacked, file)
        file = _place(temporary, content_hash, landing, file_uri, modified_at)
        return file, _land(temporary, file)


def _download(file_uri: str, target: Path, options: Options | None) -> tuple[datetime, str]:
    """Writes the file as it is at the source; when that last changed, and the hash."""
    modified_at = remote.origin(file_uri, options).modified_at
    return modified_at, _write(remote.chunks(file_uri, options), target)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == GZIP_MARK


def _unpack(packed: Path, target: Path) -> str | None:
    """The hash of what was in it; None where it is damaged or breaks off."""
    try:
        with gzip.open(packed) as content:
            return _write(iter(lambda: content.read(CHUNK_BYTES), b""), target)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return None


def _write(content: Iterator[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in content:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _place(
    content: Path, content_hash: str, landing: Path, file_uri: str, modified_at: datetime
) -> LandedFile:
    with content.open("rb") as stream:
        first_line = stream.readline(CHUNK_BYTES)
    try:
        folder = parse_header(first_line, file_uri).source
    except UnfitFile:
        folder = UNFIT
    return LandedFile(landing / folder / f"{content_hash}.csv", file_uri, modified_at)


def _land(temporary: Path, file: LandedFile) -> bool:
    record(file)
    if file.path.exists():
        return False
    os.replace(temporary, file.path)
    return True
