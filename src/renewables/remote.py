"""Source files behind any URL that fsspec has a driver for, or behind a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import fsspec

from renewables.errors import ChangedSource, CredentialsInUri, PipelineError, SourceUnreachable

CHUNK_BYTES = 1024 * 1024
SUFFIXES = (".csv", ".csv.gz")

Options = Mapping[str, str]
"""fsspec's storage options, as credentials.storage_options gives them."""


@dataclass(frozen=True)
class Origin:
    """What the source says of a file; `size` in bytes and `etag` are None where it does not say."""

    modified_at: datetime
    size: int | None
    etag: str | None


def csv_files(uri: str, options: Options | None = None) -> list[str]:
    """The CSVs at `uri`, sorted: a folder's or index page's own ones, or the one file that it is.

    A path gives paths. Raises CredentialsInUri, and what the driver raises; see `reaching`.
    """
    file_system, path = _located(uri, options)
    if not file_system.exists(path):
        raise FileNotFoundError("it does not exist")
    entries = [path] if _is_csv(path) else file_system.ls(path, detail=False)
    found = sorted(entry for entry in entries if _is_csv(entry))
    return [str(file_system.unstrip_protocol(f)) for f in found] if "://" in uri else found


def chunks(uri: str, options: Options | None = None) -> Iterator[bytes]:
    """The file's bytes, 1 MiB at a time; all that the source says it has, or ChangedSource.

    Raises what the driver raises; see `reaching`.
    """
    file_system, path = _located(uri, options)
    before = _origin(file_system, path)
    count = 0
    with file_system.open(path, "rb", **_streamed(uri)) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            count += len(chunk)
            yield chunk
    after = _origin(file_system, path)
    if (before.size not in (None, count)) or (before.size, before.etag) != (after.size, after.etag):
        raise ChangedSource(
            f"{uri} changed while it was read: {count} bytes came, {before.size} with ETag "
            f"{before.etag} were promised, now it has {after.size} with ETag {after.etag}. Try again."
        )


def origin(uri: str, options: Options | None = None) -> Origin:
    """What the source says of the file. Raises what the driver raises; see `reaching`."""
    return _origin(*_located(uri, options))


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turns what a driver raises into SourceUnreachable: it is the library's own, without a common base."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        raise SourceUnreachable(
            f"The source {uri} cannot be read: {str(error) or type(error).__name__}. "
            "Give a URL or path of a folder or CSV that this machine can reach."
        ) from error


def _located(uri: str, options: Options | None) -> tuple[Any, str]:
    if "@" in urlsplit(uri).netloc and urlsplit(uri).password:
        raise CredentialsInUri(
            f"source_uri holds a password for {urlsplit(uri).hostname}: parameters are shown to "
            "everyone who sees a run. Put it into a secret scope and set source_secret_scope."
        )
    # Listings and sizes that fsspec remembers from before would hide that a file has changed.
    remembered = {} if "://" not in uri else {"use_listings_cache": False}
    file_system, path = fsspec.url_to_fs(uri, **remembered, **(options or {}))
    file_system.invalidate_cache()
    return file_system, path


def _origin(file_system: Any, path: str) -> Origin:
    file_system.invalidate_cache()
    info = file_system.info(path)
    return Origin(
        _modified_at(file_system, path, info),
        info.get("size"),
        info.get("ETag") or info.get("etag"),
    )


def _modified_at(file_system: Any, path: str, info: Mapping[str, Any]) -> datetime:
    """In UTC; now, where the source does not say."""
    if "Last-Modified" in info:
        return parsedate_to_datetime(info["Last-Modified"]).astimezone(UTC)
    try:
        changed: datetime = file_system.modified(path)
    except NotImplementedError:
        return datetime.now(UTC)
    return changed.astimezone(UTC)


def _streamed(uri: str) -> dict[str, int]:
    # Over HTTP one request for the whole file; fsspec otherwise asks for ranges and keeps them.
    return {"block_size": 0} if uri.startswith(("http://", "https://")) else {}


def _is_csv(path: str) -> bool:
    is_web = path.startswith(("http://", "https://"))
    return (urlsplit(path).path if is_web else path).lower().endswith(SUFFIXES)
