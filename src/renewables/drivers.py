"""The packages that fsspec needs to reach a cloud's storage; the wheel names them as extras."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from renewables.errors import MissingDriver


@dataclass(frozen=True)
class Driver:
    """A package, and the extra of `renewables` that brings it."""

    package: str
    extra: str


_S3, _AZURE, _GCS = Driver("s3fs", "s3"), Driver("adlfs", "azure"), Driver("gcsfs", "gcs")

DRIVERS = {
    **dict.fromkeys(("s3", "s3a"), _S3),
    **dict.fromkeys(("abfs", "abfss", "az"), _AZURE),
    **dict.fromkeys(("gs", "gcs"), _GCS),
}
"""Driver by the scheme of a URL; other schemes need none, or are not tried here."""


def require_driver(uri: str) -> None:
    """Raises MissingDriver if the URL's scheme needs a package that is not installed."""
    scheme = urlsplit(uri).scheme
    driver = DRIVERS.get(scheme)
    if driver and find_spec(driver.package) is None:
        raise MissingDriver(
            f"A source at {scheme}:// needs the Python package {driver.package}, which is not installed. "
            f"In the bundle add '- pypi: {{package: {driver.package}}}' to the libraries of discover and "
            f"extract_file (resources/ingest.job.yml); elsewhere install renewables[{driver.extra}]."
        )
