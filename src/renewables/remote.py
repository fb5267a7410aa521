"""Source files behind any URL that fsspec has a driver for, or behind a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import fsspec

from renewables.errors import SourceUnreachable

CHUNK_BYTES = 1024 * 1024


def csv_files(uri: str) -> list[str]:
    """The CSVs at `uri`, sorted: a folder's own ones, or the one file that it is. A path gives paths.

    Raises SourceUnreachable.
    """
    with _reaching(uri):
        file_system, path = fsspec.url_to_fs(uri)
        if not file_system.exists(path):
            raise FileNotFoundError("it does not exist")
        entries = [path] if _is_csv(path) else file_system.ls(path, detail=False)
        found = sorted(entry for entry in entries if _is_csv(entry))
        return [str(file_system.unstrip_protocol(f)) for f in found] if "://" in uri else found


def chunks(uri: str) -> Iterator[bytes]:
    """The file's bytes, 1 MiB at a time. Raises SourceUnreachable."""
    with _reaching(uri):
        file_system, path = fsspec.url_to_fs(uri)
        with file_system.open(path, "rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk


def modified_at(uri: str) -> datetime:
    """When the file last changed, in UTC; now, where its file system does not say. Raises SourceUnreachable."""
    with _reaching(uri):
        file_system, path = fsspec.url_to_fs(uri)
        try:
            changed: datetime = file_system.modified(path)
        except NotImplementedError:
            return datetime.now(UTC)
        return changed.astimezone(UTC)


@contextmanager
def _reaching(uri: str) -> Iterator[None]:
    # Every fsspec driver raises the exceptions of the library under it; they have no common base.
    try:
        yield
    except Exception as error:
        raise SourceUnreachable(
            f"The source {uri} cannot be read: {str(error) or type(error).__name__}. "
            "Give a URL or path of a folder or CSV that this machine can reach."
        ) from error


def _is_csv(path: str) -> bool:
    return path.lower().endswith(".csv")
