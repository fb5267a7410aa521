"""Ratifying the commits of catalog-managed Delta tables: of all writers of a version, one wins.

A writer stages its commit file, has it ratified here and then publishes it to `_delta_log`. An append
that lost its version becomes the next one, as Delta's own writers make it; any other writer has to look
at the table again. What a killed writer has not published is published with the next version.

Commits are kept here when they are published too, and their staged files stay: Sail asks for each
version that it is not told of in a request of its own, and then takes any staged file of that version,
or fails where a writer that lost has left one beside the winner's.
Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#catalog-managed-tables and
https://github.com/unitycatalog/unitycatalog/blob/main/api/all.yaml (DeltaCommit, DeltaGetCommits).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from databricks.sdk.service.catalog import ColumnInfo

from local_workspace.errors import InvalidParameterValue, ResourceConflict, ResourceDoesNotExist
from local_workspace.store.commit_files import CommitFiles, DeltaCommit
from local_workspace.store.copies import Copies, marked_copy
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now


@dataclass(frozen=True)
class RatifiedCommits:
    """The commits that a reader asked for; `latest_version` is -1 before the first commit."""

    commits: list[DeltaCommit]
    latest_version: int


class DeltaCommits:
    def __init__(self, db: Database, copies: Copies) -> None:
        self._db = db
        self._copies = copies
        self._one_at_a_time = threading.Lock()

    def ratified(
        self, table_id: str, table_uri: str, start_version: int, end_version: int | None
    ) -> RatifiedCommits:
        """The commits from `start_version` to `end_version`, both included."""
        table = self._table(table_id, table_uri)
        last = table["latest_version"] if end_version is None else end_version
        commits = self._commits(table, start_version, last)
        return RatifiedCommits(commits, table["latest_version"] or -1)

    def ratify(
        self,
        table_id: str,
        table_uri: str,
        commit: DeltaCommit | None,
        *,
        published_version: int | None,
        metadata: Mapping[str, Any],
    ) -> None:
        """Make `commit` the table's next version, and take what it changes of the table.

        Raises ResourceConflict where another writer was first, unless the commit is an append, and
        InvalidState for a COPY INTO whose files were loaded meanwhile. To ask again changes nothing.
        """
        with self._one_at_a_time:
            table = self._table(table_id, table_uri)
            if published_version is not None:
                _require_ratified(table, published_version)
            if commit is None:
                self._change(table, metadata)
            elif not self._is_ratified(table, commit):
                self._ratify(table, commit, metadata)

    def _ratify(self, table: Row, asked: DeltaCommit, metadata: Mapping[str, Any]) -> None:
        files = CommitFiles(table["storage_location"])
        commit = self._as_next(table, files, asked)
        try:
            with self._db.transaction():
                self._append(table, files, commit)
                self._change(table, metadata)
        except BaseException:
            if commit is not asked:
                files.discard(commit)
            raise
        is_rebased = commit is not asked
        self._publish(table, files, commit.version if is_rebased else commit.version - 1)

    def _publish(self, table: Row, files: CommitFiles, last: int) -> None:
        """Publish the version, and before it those whose writers did not, so that none is ever missing."""
        unpublished: list[DeltaCommit] = []
        while found := self._commits(table, last - len(unpublished), last - len(unpublished)):
            if files.is_published(found[0]):
                break
            unpublished += found
        for commit in reversed(unpublished):
            files.publish(commit)

    def _as_next(self, table: Row, files: CommitFiles, commit: DeltaCommit) -> DeltaCommit:
        """Return the commit as the table's next version; ResourceConflict where it cannot become it."""
        version = table["latest_version"] + 1
        if commit.version == version:
            return commit
        others = self._commits(table, commit.version, version - 1)
        if others and _can_follow(files, commit, others):
            return files.rebase(commit, version, others[-1].timestamp)
        raise ResourceConflict(
            f"Version {commit.version} of table '{table['full_name']}' cannot be committed: "
            f"the next version is {version}."
        )

    def _is_ratified(self, table: Row, commit: DeltaCommit) -> bool:
        """Return whether the writer asks again, because it was not told that its commit is ratified."""
        later = self._commits(table, commit.version, table["latest_version"])
        return any(other.writer == commit.writer for other in later)

    def _commits(self, table: Row, first: int, last: int) -> list[DeltaCommit]:
        rows = self._db.all(
            "SELECT version, timestamp, file_name, file_size, file_modification_timestamp "
            "FROM delta_commits WHERE table_id = ? AND version BETWEEN ? AND ? ORDER BY version",
            (table["table_id"], first, last),
        )
        return [DeltaCommit(*row) for row in rows]

    def _change(self, table: Row, metadata: Mapping[str, Any]) -> None:
        with self._db.transaction():
            changes = _table_changes(metadata)
            self._db.update("tables", "table_id", table["table_id"], changes)

    def _table(self, table_id: str, table_uri: str) -> Row:
        table = self._db.one("SELECT * FROM named_tables WHERE table_id = ?", (table_id,))
        if table is None:
            raise ResourceDoesNotExist(f"Table with id '{table_id}' does not exist.")
        if table["storage_location"].rstrip("/") != table_uri.rstrip("/"):
            raise InvalidParameterValue(
                f"Table '{table['full_name']}' is not stored at '{table_uri}'."
            )
        return table

    def _append(self, table: Row, files: CommitFiles, commit: DeltaCommit) -> None:
        self._db.insert("delta_commits", {"table_id": table["table_id"], **asdict(commit)})
        self._db.update("tables", "table_id", table["table_id"], {"latest_version": commit.version})
        info = files.info(commit)
        if copy_id := marked_copy(info.get("userMetadata")):
            row_count = info.get("operationMetrics", {}).get("numOutputRows")
            self._copies.ratify(copy_id, table["table_id"], commit.version, row_count)


def _can_follow(files: CommitFiles, commit: DeltaCommit, others: Sequence[DeltaCommit]) -> bool:
    """Return whether the commit is an append to the columns that the table still has after the others."""
    try:
        return files.is_append(commit) and not any(map(files.changes_table, others))
    except (FileNotFoundError, ValueError):
        return False


def _require_ratified(table: Row, published_version: int) -> None:
    if published_version > table["latest_version"]:
        raise InvalidParameterValue(
            f"Version {published_version} of table '{table['full_name']}' cannot be published: "
            f"the latest version is {table['latest_version']}."
        )


def _table_changes(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a commit with a metadata action changes of the table that the catalog shows."""
    changes: dict[str, Any] = {"updated_at": now()}
    if "description" in metadata:
        changes["comment"] = metadata["description"]
    if "schema" in metadata:
        columns = metadata["schema"].get("columns", [])
        changes["columns"] = json.dumps(
            [ColumnInfo.from_dict(column).as_dict() for column in columns]
        )
    if "properties" in metadata:
        changes["properties"] = json.dumps(metadata["properties"].get("properties", {}))
    return changes
