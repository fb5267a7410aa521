"""extract: one source file into the landing folder, under the hash of its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from renewables import remote
from renewables.files import temporary_file
from renewables.landing import LandedFile, record
from renewables.parameters import parameters
from renewables.sources import parse_header


def main() -> None:
    """Land the CSV at `file_uri` in the folder `landing`."""
    given = parameters("file_uri", "landing")
    file, is_new = extract(given["file_uri"], Path(given["landing"]))
    print(f"{file.source_file} {'landed as' if is_new else 'was landed before, as'} {file.path}")


def extract(file_uri: str, landing: Path) -> tuple[LandedFile, bool]:
    """The landed copy of a CSV, and whether it is new; the same content lands once.

    The memory used does not depend on the size. A copy gets its name when it is whole, so a killed
    extract leaves nothing that load would see. Raises SourceUnreachable, and UnexpectedHeader for a
    CSV that is no OWID share-electricity file.
    """
    modified_at = remote.modified_at(file_uri)
    content = remote.chunks(file_uri)
    first = next(content, b"")
    folder = landing / parse_header(first.partition(b"\n")[0], file_uri).source
    with temporary_file(folder) as temporary:
        content_hash = _write(chain([first], content), temporary)
        file = LandedFile(folder / f"{content_hash}.csv", file_uri, modified_at)
        return file, _land(temporary, file)


def _write(content: Iterator[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in content:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _land(temporary: Path, file: LandedFile) -> bool:
    if file.path.exists():
        return False
    record(file)
    os.replace(temporary, file.path)
    return True
