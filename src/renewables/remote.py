"""Source files behind any URL that fsspec has a driver for, or behind a path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fsspec

from renewables.drivers import require_driver
from renewables.errors import ChangedSource, CredentialsInUri, PipelineError, SourceUnreachable

CHUNK_BYTES = 1024 * 1024
SUFFIXES = (".csv", ".csv.gz")

CONTAINER_AT_ACCOUNT = ("abfs", "abfss")
"""Schemes whose URLs have the container where others have the user: abfss://container@account/..."""

SIGNATURES = {"sig", "signature", "x-amz-signature", "x-goog-signature", "token", "access_token"}
"""Names of query parameters that give access to whoever has the URL."""

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

    A path gives absolute paths: by its address a file is known as a revision of another one. Raises
    CredentialsInUri and MissingDriver, and what the driver raises; see `reaching`.
    """
    file_system, path = _located(uri, options)
    if not file_system.exists(path):
        raise FileNotFoundError("it does not exist")
    entries = [path] if _is_csv(path) else file_system.ls(path, detail=False)
    return [_address(uri, path, entry) for entry in sorted(entries) if _is_csv(entry)]


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
    _refuse_credentials(uri)
    require_driver(uri)
    # Listings and sizes that fsspec remembers from before would hide that a file has changed.
    remembered = {} if "://" not in uri else {"use_listings_cache": False}
    file_system, path = fsspec.url_to_fs(uri, **remembered, **(options or {}))
    file_system.invalidate_cache()
    return file_system, path


def _refuse_credentials(uri: str) -> None:
    """A parameter is shown to everyone who sees a run, so the message has nothing of it but the host."""
    url = urlsplit(uri)
    has_user = url.username is not None and url.scheme not in CONTAINER_AT_ACCOUNT
    signed = SIGNATURES & {name.lower() for name in parse_qs(url.query)}
    if url.password is not None or has_user or signed:
        raise CredentialsInUri(
            f"The source URL of {url.hostname} holds credentials, and parameters are shown to everyone "
            "who sees a run. Put them into a secret scope and set source_secret_scope."
        )


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
    return {"block_size": 0} if _is_web(uri) else {}


def _address(uri: str, path: str, entry: str) -> str:
    """The URI of an entry of the folder `uri`, or of itself.

    The driver's own name for it would lack what else is in the URI, as the account in abfss://container@account.
    """
    if "://" not in uri:
        return os.path.abspath(entry)
    if _is_web(uri):
        return entry
    return uri if entry == path else f"{uri.rstrip('/')}/{entry.rpartition('/')[2]}"


def _is_web(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def _is_csv(path: str) -> bool:
    return (urlsplit(path).path if _is_web(path) else path).lower().endswith(SUFFIXES)
