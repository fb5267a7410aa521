"""discover: which CSVs the source has."""

from __future__ import annotations

import json

from renewables.credentials import storage_options
from renewables.errors import NoSourceFiles
from renewables.parameters import parameters
from renewables.remote import Options, csv_files, reaching
from renewables.retries import retried


def main() -> None:
    """Set the task value `files`: the URIs of the CSVs at `source_uri`, as a list."""
    # Outside of a Databricks runtime this import asks for credentials.
    from databricks.sdk.runtime import dbutils

    given = parameters("source_uri", secret_scope="")
    files = discover(given["source_uri"], storage_options(dbutils, given["secret_scope"]))
    print("\n".join(files))
    dbutils.jobs.taskValues.set("files", files)


def discover(source_uri: str, options: Options | None = None) -> list[str]:
    """The URIs of the CSVs at `source_uri`, at least one.

    It is a folder, a page of links, one file, or several of these as a JSON array. Raises
    SourceUnreachable and NoSourceFiles.
    """
    files: list[str] = []
    for uri in _uris(source_uri):
        found = _csv_files(uri, options)
        if not found:
            raise NoSourceFiles(
                f"No CSV file at {uri}: set source_uri to a folder that has some, or to one file."
            )
        files += found
    return list(dict.fromkeys(files))


def _csv_files(uri: str, options: Options | None) -> list[str]:
    with reaching(uri):
        return retried(lambda: csv_files(uri, options))


def _uris(source_uri: str) -> list[str]:
    if not source_uri.startswith("["):
        return [source_uri]
    try:
        uris = json.loads(source_uri)
    except ValueError:
        return [source_uri]
    return uris if uris and all(isinstance(uri, str) for uri in uris) else [source_uri]
