"""The landing folder: `<source>/<sha256>.csv`, and beside it a JSON for each address that had this content.

A file whose header fits no source is in `unfit/`.

The first JSON is written before the CSV. So whatever is killed, a CSV that is there is whole and has
its record. Each address has a JSON of its own, so extracts at once leave the same, whoever is first.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from renewables.errors import BrokenLanding
from renewables.files import write_whole

UNFIT = "unfit"


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder: where it is, and what it is a copy of.

    Where several addresses had its content, it counts for the first of them in alphabetical order.
    """

    path: Path
    source_file: str
    source_modified_at: datetime

    @property
    def content_hash(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return self.path.stem


def landed_files(landing: Path) -> list[LandedFile]:
    """All landed files, in the order of their paths; BrokenLanding if one has no record."""
    paths = sorted(landing.glob("*/*.csv"))
    records: dict[Path, list[Path]] = defaultdict(list)
    for path in landing.glob("*/*.json"):
        records[_content(path)].append(path)
    return [_read(path, records[_content(path)]) for path in paths]


def record(file: LandedFile) -> None:
    """Write the JSON of the file's address, unless it has one; the file need not be there yet."""
    address = hashlib.sha256(file.source_file.encode()).hexdigest()[:16]
    path = file.path.with_suffix(f".{address}.json")
    if not path.exists():
        origin = {
            "source_file": file.source_file,
            "source_modified_at": file.source_modified_at.isoformat(),
        }
        write_whole(path, json.dumps(origin).encode())


def remove_old(files: Iterable[LandedFile], retention_days: float) -> list[LandedFile]:
    """Remove those files that landed longer ago than that, each with its records; they are returned."""
    old = [file for file in files if _age_days(file.path) > retention_days]
    for file in old:
        # The records last: a CSV never is without one.
        file.path.unlink(missing_ok=True)
        for path in file.path.parent.glob(f"{file.content_hash}.*json"):
            path.unlink(missing_ok=True)
    return old


def remove_leftovers(landing: Path) -> None:
    """Remove what killed extracts have left: temporary files that nobody has written to for a day."""
    for path in landing.glob(".*.part"):
        if _age_days(path) > 1:
            path.unlink(missing_ok=True)


def _age_days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / 86_400


def _content(path: Path) -> Path:
    """What the paths of a CSV and of its records have in common."""
    return path.with_name(path.name.partition(".")[0])


def _read(path: Path, records: list[Path]) -> LandedFile:
    if not records:
        raise BrokenLanding(
            f"{path} has no record of where it came from; delete it and run the ingest job again."
        )
    return min((_origin(path, record) for record in records), key=lambda file: file.source_file)


def _origin(path: Path, record: Path) -> LandedFile:
    try:
        origin = json.loads(record.read_text(encoding="utf-8"))
        modified_at = datetime.fromisoformat(origin["source_modified_at"])
        return LandedFile(path, origin["source_file"], modified_at)
    except (OSError, ValueError, KeyError) as error:
        raise BrokenLanding(
            f"{record} does not say where {path.name} came from ({error!r}); "
            "delete both and run the ingest job again."
        ) from error
