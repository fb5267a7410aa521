"""An append whose version another writer took becomes the next one: once, and whole, whenever the server is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from staging import APPEND, StagingTable

from local_workspace.errors import ResourceConflict
from local_workspace.store.catalog import Catalog
from local_workspace.store.commit_files import DeltaCommit
from local_workspace.store.database import Database

ADD = {"add": {"path": "b"}}
RATIFY_AND_DIE = """
import os, pathlib, signal, sys
from local_workspace.store import commit_files, copies, delta_commits
from local_workspace.store.catalog import Catalog
from local_workspace.store.database import Database
root, owner, function, table_id, location, *commit = sys.argv[1:]
version, name = commit
found = eval(owner)
setattr(found, function, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
catalog = Catalog(Database(root + "/db"), pathlib.Path(root))
asked = commit_files.DeltaCommit(int(version), 1, name, 1, 1)
catalog.commits.ratify(table_id, location, asked, published_version=None, metadata={})
"""


@pytest.fixture
def table(tmp_path: Path) -> StagingTable:
    return StagingTable.created(open_catalog(tmp_path))


def open_catalog(root: Path) -> Catalog:
    return Catalog(Database(root / "db"), root)


def test_an_append_that_lost_its_version_becomes_the_next_one(table: StagingTable) -> None:
    first, second, third = (table.append(1, path) for path in "abc")
    for commit in (first, second, third):
        table.ratify(commit)
        table.publish(commit)
    assert [commit.version for commit in table.ratified()] == [1, 2, 3]
    assert table.added() == ["a", "b", "c"]
    times = [
        table.actions(commit)[0]["commitInfo"]["inCommitTimestamp"] for commit in table.ratified()
    ]
    assert times == sorted({*times})
    assert times == [commit.timestamp for commit in table.ratified()]
    assert_published(table)


def test_a_writer_that_asks_again_is_told_that_it_has_committed(table: StagingTable) -> None:
    first, second = table.append(1, "a"), table.append(1, "b")
    for commit in (first, second, second, first, second):
        table.ratify(commit)
        table.publish(commit)
    assert table.added() == ["a", "b"]
    assert_published(table)


@pytest.mark.parametrize(
    ("info", "actions"),
    [
        ({"operation": "MERGE", "isBlindAppend": False}, [ADD]),
        ({"operation": "MERGE"}, [ADD]),
        ({"isBlindAppend": False}, [ADD]),
        ({"operationParameters": {"mode": "Overwrite"}}, [ADD]),
        ({}, [ADD, {"remove": {"path": "a"}}]),
        ({}, [ADD, {"txn": {"appId": "stream", "version": 1}}]),
        ({}, [ADD, {"domainMetadata": {"domain": "delta.rowTracking"}}]),
        ({}, [{"metaData": {}}, ADD]),
        ({}, [{"add": {"path": "b", "baseRowId": 0}}]),
    ],
)
def test_what_is_no_plain_append_is_refused(
    table: StagingTable, info: dict[str, Any], actions: list[dict[str, Any]]
) -> None:
    table.ratify(table.append(1, "a"))
    with pytest.raises(ResourceConflict, match="the next version is 2"):
        table.ratify(table.stage(1, {**APPEND, **info}, *actions))
    assert table.added() == ["a"]


@pytest.mark.parametrize("action", [{"metaData": {}}, {"protocol": {}}])
def test_an_append_is_refused_where_the_table_has_changed(
    table: StagingTable, action: dict[str, Any]
) -> None:
    append = table.append(1, "a")
    table.ratify(table.stage(1, {"operation": "SET TBLPROPERTIES"}, action))
    table.ratify(table.append(2, "b"))
    with pytest.raises(ResourceConflict, match="the next version is 3"):
        table.ratify(append)


@pytest.mark.parametrize(
    ("owner", "function", "is_committed"),
    [
        ("pathlib.Path", "write_text", False),
        ("pathlib.Path", "unlink", False),
        ("delta_commits.DeltaCommits", "_append", False),
        ("delta_commits.DeltaCommits", "_change", False),
        ("commit_files.CommitFiles", "publish", True),
    ],
)
def test_a_server_that_is_killed_has_committed_all_or_nothing(
    tmp_path: Path, table: StagingTable, owner: str, function: str, is_committed: bool
) -> None:
    """Wherever it is killed; the writer may ask the server that comes after it once more."""
    table.ratify(table.append(1, "a"))
    append = table.append(1, "b")
    assert die_while_ratifying(tmp_path, table, append, owner, function) == -signal.SIGKILL

    table = StagingTable.found(open_catalog(tmp_path))
    assert table.added() == (["a", "b"] if is_committed else ["a"])
    try:
        table.ratify(append)
    except ResourceConflict:
        assert not is_committed
    else:
        table.publish(append)
    assert table.added().count("b") <= 1
    last = table.append(1, "c")
    table.ratify(last)
    table.publish(last)
    assert table.added()[-1] == "c"
    assert_published(table)


def die_while_ratifying(
    root: Path, table: StagingTable, commit: DeltaCommit, owner: str, function: str
) -> int:
    """The exit code of a process that is killed as soon as it calls the owner's function."""
    arguments = [str(root), owner, function, table.table_id, table.location]
    command = [sys.executable, "-c", RATIFY_AND_DIE, *arguments]
    return subprocess.run([*command, str(commit.version), commit.file_name]).returncode


def assert_published(table: StagingTable) -> None:
    for commit in table.ratified():
        assert table.published(commit.version).read_bytes() == table.staged(commit).read_bytes()
