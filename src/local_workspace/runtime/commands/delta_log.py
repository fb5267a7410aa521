"""The Delta log of a table, up to the version that the catalog says is its latest.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Action = dict[str, Any]


class DeltaLog:
    """`staged` are the names of ratified commit files by version; they may not be published yet."""

    def __init__(self, table: Path, latest: int, staged: dict[int, str]) -> None:
        self._folder = table / "_delta_log"
        self._staged = staged
        self.latest = latest

    def actions(self, version: int) -> list[Action]:
        """The actions of one commit."""
        published = self._folder / f"{version:020}.json"
        file = published
        if not published.exists() and version in self._staged:
            file = self._folder / "_staged_commits" / self._staged[version]
        return [json.loads(line) for line in file.read_text().splitlines() if line]

    def versions(self) -> range:
        """From the latest version down to the oldest."""
        return range(self.latest, -1, -1)

    def replayed(self) -> Snapshot:
        """The table as it is at the latest version."""
        snapshot = Snapshot()
        for version in reversed(self.versions()):
            for action in self.actions(version):
                snapshot.apply(action)
        return snapshot


class Snapshot:
    """What the actions of a log add up to."""

    def __init__(self) -> None:
        self.metadata: Action = {}
        self.protocol: Action = {}
        self._sizes: dict[str, int] = {}
        self.modified = 0

    @property
    def file_count(self) -> int:
        return len(self._sizes)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(self._sizes.values())

    @property
    def features(self) -> list[str]:
        readers = self.protocol.get("readerFeatures") or []
        return sorted({*readers, *(self.protocol.get("writerFeatures") or [])})

    def apply(self, action: Action) -> None:
        for kind, value in action.items():
            match kind:
                case "metaData":
                    self.metadata = value
                case "protocol":
                    self.protocol = value
                case "add":
                    self._sizes[value["path"]] = value["size"]
                case "remove":
                    self._sizes.pop(value["path"], None)
                case "commitInfo":
                    self.modified = value["timestamp"]


def latest_in(table: Path) -> int:
    """The latest published version of a table that the catalog does not commit."""
    return max(_versions(table), default=-1)


def _versions(table: Path) -> Iterator[int]:
    for file in (table / "_delta_log").glob("*.json"):
        if file.stem.isdecimal():
            yield int(file.stem)
