"""The commit files of a Delta table: staged by their writers, published once they are ratified.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_STAGED = re.compile(r"\d{20}\.(?P<writer>[0-9a-f-]{36})\.json")
_OF_APPENDS = {"commitInfo", "add"}
_CHANGES_TABLE = {"metaData", "protocol"}


@dataclass(frozen=True)
class DeltaCommit:
    """A staged commit file; times are milliseconds since the epoch, the size is in bytes."""

    version: int
    timestamp: int
    file_name: str
    file_size: int
    file_modification_timestamp: int

    @property
    def writer(self) -> str:
        """The part of the file's name that stays when the commit becomes another version."""
        match = _STAGED.fullmatch(self.file_name)
        return match["writer"] if match else self.file_name


class CommitFiles:
    def __init__(self, storage_location: str) -> None:
        self._log = Path(storage_location.removeprefix("file://"), "_delta_log")

    def info(self, commit: DeltaCommit) -> dict[str, Any]:
        """Return the commitInfo, the first action; empty where there is no such file."""
        try:
            with self._staged(commit).open() as file:
                action: dict[str, dict[str, Any]] = json.loads(file.readline())
        except (FileNotFoundError, ValueError):
            return {}
        return action.get("commitInfo", {})

    def is_append(self, commit: DeltaCommit) -> bool:
        """Return whether the commit adds files and depends on nothing that the table has."""
        if not _STAGED.fullmatch(commit.file_name):
            return False
        info = self.info(commit)
        mode = info.get("operationParameters", {}).get("mode")
        if not (
            info.get("isBlindAppend") and info.get("operation") == "WRITE" and mode == "Append"
        ):
            return False
        actions = self._actions(commit)
        # The ids of rows depend on the rows that the table has.
        return all(
            kind in _OF_APPENDS and "baseRowId" not in value
            for action in actions
            for kind, value in action.items()
        )

    def changes_table(self, commit: DeltaCommit) -> bool:
        """Return whether the commit changes the table's columns, properties or protocol."""
        return any(not _CHANGES_TABLE.isdisjoint(action) for action in self._actions(commit))

    def rebase(self, commit: DeltaCommit, version: int, after: int) -> DeltaCommit:
        """Stage the commit as that version, later than `after`, in place of its own file.

        Its writer publishes what it has staged under the version that it asked for. Once the file is
        gone it cannot: that version is another writer's.
        """
        asked = self._staged(commit)
        first, rest = asked.read_text().split("\n", 1)
        action = json.loads(first)
        timestamp = max(time.time_ns() // 1_000_000, commit.timestamp, after + 1)
        action["commitInfo"]["inCommitTimestamp"] = timestamp
        placed = replace(
            commit,
            version=version,
            timestamp=timestamp,
            file_name=f"{version:020}.{commit.writer}.json",
        )
        file = self._staged(placed)
        file.write_text(f"{json.dumps(action)}\n{rest}")
        asked.unlink()
        status = file.stat()
        return replace(
            placed,
            file_size=status.st_size,
            file_modification_timestamp=status.st_mtime_ns // 1_000_000,
        )

    def discard(self, commit: DeltaCommit) -> None:
        self._staged(commit).unlink(missing_ok=True)

    def is_published(self, commit: DeltaCommit) -> bool:
        return self._published(commit).exists()

    def publish(self, commit: DeltaCommit) -> None:
        """Publish a ratified commit; those who ask the catalog can read it without, so that it may fail."""
        with contextlib.suppress(OSError):
            os.link(self._staged(commit), self._published(commit))

    def _actions(self, commit: DeltaCommit) -> list[dict[str, Any]]:
        with self._staged(commit).open() as file:
            return [json.loads(line) for line in file if line.strip()]

    def _staged(self, commit: DeltaCommit) -> Path:
        return self._log / "_staged_commits" / Path(commit.file_name).name

    def _published(self, commit: DeltaCommit) -> Path:
        return self._log / f"{commit.version:020}.json"
