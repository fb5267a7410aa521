"""The landing folder: `<source>/<sha256>.csv`, and beside it a JSON that says from where it came.

A file whose header fits no source is in `unfit/`.

The JSON is written first. So whatever is killed, a CSV that is there is whole and has its record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from renewables.errors import BrokenLanding
from renewables.files import write_whole

UNFIT = "unfit"


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder: where it is, and what it is a copy of."""

    path: Path
    source_file: str
    source_modified_at: datetime

    @property
    def content_hash(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return self.path.stem


def landed_files(landing: Path) -> list[LandedFile]:
    """All landed files, in the order of their paths; BrokenLanding if one has no record."""
    return [_read(path) for path in sorted(landing.glob("*/*.csv"))]


def record(file: LandedFile) -> None:
    """Write the JSON beside the file, which need not be there yet."""
    origin = {
        "source_file": file.source_file,
        "source_modified_at": file.source_modified_at.isoformat(),
    }
    write_whole(file.path.with_suffix(".json"), json.dumps(origin).encode())


def remove_old(files: Iterable[LandedFile], retention_days: float) -> list[LandedFile]:
    """Remove those files that landed longer ago than that, each with its record; they are returned."""
    old = [file for file in files if _age_days(file.path) > retention_days]
    for file in old:
        # The record last: a CSV never is without it.
        file.path.unlink(missing_ok=True)
        file.path.with_suffix(".json").unlink(missing_ok=True)
    return old


def remove_leftovers(landing: Path) -> None:
    """Remove what killed extracts have left: temporary files that nobody has written to for a day."""
    for path in landing.glob(".*.part"):
        if _age_days(path) > 1:
            path.unlink(missing_ok=True)


def _age_days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / 86_400


def _read(path: Path) -> LandedFile:
    origin_path = path.with_suffix(".json")
    try:
        origin = json.loads(origin_path.read_text(encoding="utf-8"))
        modified_at = datetime.fromisoformat(origin["source_modified_at"])
        return LandedFile(path, origin["source_file"], modified_at)
    except (OSError, ValueError, KeyError) as error:
        raise BrokenLanding(
            f"{origin_path} does not say where {path.name} came from ({error!r}); "
            "delete both and run the ingest job again."
        ) from error
