"""discover: which CSVs the source has."""

from __future__ import annotations

from renewables.errors import NoSourceFiles
from renewables.parameters import parameters
from renewables.remote import csv_files


def main() -> None:
    """Set the task value `files`: the URIs of the CSVs at `source_uri`, as a list."""
    # Outside of a Databricks runtime this import asks for credentials.
    from databricks.sdk.runtime import dbutils

    files = discover(parameters("source_uri")["source_uri"])
    print("\n".join(files))
    dbutils.jobs.taskValues.set("files", files)


def discover(source_uri: str) -> list[str]:
    """The URIs of the CSVs at `source_uri`, at least one. Raises SourceUnreachable and NoSourceFiles."""
    files = csv_files(source_uri)
    if not files:
        raise NoSourceFiles(
            f"No CSV file at {source_uri}: set source_uri to a folder that has some, or to one file."
        )
    return files
