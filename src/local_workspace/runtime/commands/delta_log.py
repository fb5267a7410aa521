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

    def replayed(self, version: int | None = None) -> Snapshot:
        """The table as it was at the version, without one as it is at the latest."""
        snapshot = Snapshot()
        for number in range((self.latest if version is None else version) + 1):
            for action in self.actions(number):
                snapshot.apply(action)
        return snapshot


class Snapshot:
    """What the actions of a log add up to."""

    def __init__(self) -> None:
        self.metadata: Action = {}
        self.protocol: Action = {}
        self.files: dict[str, Action] = {}
        """The `add` of each data file; a file with another deletion vector is another one."""
        self.modified = 0
        """Milliseconds since the epoch."""

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file["size"] for file in self.files.values())

    @property
    def schema(self) -> Action:
        """A Spark StructType as JSON."""
        schema: Action = json.loads(self.metadata["schemaString"])
        return schema

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
                    self.files[_key(value)] = value
                case "remove":
                    self.files.pop(_key(value), None)
                case "commitInfo":
                    self.modified = committed_at(value)


def committed_at(info: Action) -> int:
    """When a commit was made, in milliseconds since the epoch."""
    time: int = info.get("inCommitTimestamp") or info["timestamp"]
    return time


def _key(file: Action) -> str:
    """https://github.com/delta-io/delta/blob/master/PROTOCOL.md#action-reconciliation"""
    vector = file.get("deletionVector") or {}
    parts = (vector.get(name, "") for name in ("storageType", "pathOrInlineDv", "offset"))
    return "|".join([file["path"], *map(str, parts)])


def latest_in(table: Path) -> int:
    """The latest published version of a table that the catalog does not commit."""
    return max(_versions(table), default=-1)


def _versions(table: Path) -> Iterator[int]:
    for file in (table / "_delta_log").glob("*.json"):
        if file.stem.isdecimal():
            yield int(file.stem)
