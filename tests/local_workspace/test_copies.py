"""COPY INTO's ledger: which files a table has loaded, in the transaction of the commit that loads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from staging import StagingTable

from local_workspace.errors import InvalidState, ResourceConflict, ResourceDoesNotExist
from local_workspace.store.catalog import Catalog
from local_workspace.store.copies import Copies, marked_copy, marker
from local_workspace.store.database import Database


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(Database(":memory:"), tmp_path)


@pytest.fixture
def table_id(catalog: Catalog) -> str:
    return StagingTable.created(catalog).table_id


def commit(catalog: Catalog, table_id: str, version: int, user_metadata: str | None) -> None:
    """Stage a commit as Spark does, and have it ratified."""
    table = StagingTable.found(catalog)
    assert table.table_id == table_id
    info = {"userMetadata": user_metadata, "operationMetrics": {"numOutputRows": 7}}
    table.ratify(table.stage(version, info, {"add": {}}))


def test_files_are_loaded_when_their_commit_is_ratified(catalog: Catalog, table_id: str) -> None:
    copy = catalog.copies.announce(table_id, ["a", "b"], forced=False)
    assert copy.paths == ["a", "b"]
    assert catalog.copies.not_loaded(table_id, ["b", "a", "c"]) == ["b", "a", "c"]
    commit(catalog, table_id, 1, marker(copy.copy_id))
    assert catalog.copies.not_loaded(table_id, ["b", "a", "c"]) == ["c"]
    done = catalog.copies.get(copy.copy_id)
    assert (done.version, done.row_count) == (1, 7)


def test_of_two_copies_of_a_file_one_is_ratified(catalog: Catalog, table_id: str) -> None:
    first = catalog.copies.announce(table_id, ["a"], forced=False)
    second = catalog.copies.announce(table_id, ["a", "b"], forced=False)
    commit(catalog, table_id, 1, marker(first.copy_id))
    with pytest.raises(InvalidState, match="committed by a concurrent COPY INTO"):
        commit(catalog, table_id, 2, marker(second.copy_id))
    # Nothing of the refused commit stays: neither the version nor its other file.
    assert catalog.copies.not_loaded(table_id, ["a", "b"]) == ["b"]
    commit(catalog, table_id, 2, None)


def test_a_commit_that_lost_its_version_loads_nothing(catalog: Catalog, table_id: str) -> None:
    copy = catalog.copies.announce(table_id, ["a"], forced=False)
    commit(catalog, table_id, 1, None)
    with pytest.raises(ResourceConflict, match="the next version is 2"):
        commit(catalog, table_id, 1, marker(copy.copy_id))
    assert catalog.copies.not_loaded(table_id, ["a"]) == ["a"]
    commit(catalog, table_id, 2, marker(copy.copy_id))
    assert catalog.copies.not_loaded(table_id, ["a"]) == []


def test_a_copy_is_committed_once(catalog: Catalog, table_id: str) -> None:
    copy = catalog.copies.announce(table_id, ["a"], forced=False)
    commit(catalog, table_id, 1, marker(copy.copy_id))
    with pytest.raises(InvalidState, match="is not under way"):
        commit(catalog, table_id, 2, marker(copy.copy_id))
    catalog.copies.withdraw(copy.copy_id)
    assert catalog.copies.get(copy.copy_id).version == 1


def test_a_copy_that_was_withdrawn_or_died_is_not_committed(
    catalog: Catalog, table_id: str
) -> None:
    withdrawn = catalog.copies.announce(table_id, ["a"], forced=False)
    catalog.copies.withdraw(withdrawn.copy_id)
    with pytest.raises(ResourceDoesNotExist, match=withdrawn.copy_id):
        catalog.copies.get(withdrawn.copy_id)
    dead = catalog.copies.announce(table_id, ["a"], forced=False)
    Copies(catalog.copies._db)
    for copy in (withdrawn, dead):
        with pytest.raises(InvalidState, match="is not under way"):
            commit(catalog, table_id, 1, marker(copy.copy_id))


def test_a_copy_without_rows_needs_no_commit(catalog: Catalog, table_id: str) -> None:
    copy = catalog.copies.announce(table_id, ["a"], forced=False)
    done = catalog.copies.finish(copy.copy_id)
    assert (done.version, done.row_count) == (0, 0)
    assert catalog.copies.not_loaded(table_id, ["a"]) == []
    assert catalog.copies.finish(copy.copy_id) == done


def test_force_takes_files_again(catalog: Catalog, table_id: str) -> None:
    for version in (1, 2):
        copy = catalog.copies.announce(table_id, ["a"], forced=True)
        assert copy.paths == ["a"]
        commit(catalog, table_id, version, marker(copy.copy_id))
    assert catalog.copies.announce(table_id, ["a"], forced=False).paths == []


def test_a_table_that_is_dropped_forgets_its_files(catalog: Catalog, table_id: str) -> None:
    copy = catalog.copies.announce(table_id, ["a"], forced=False)
    commit(catalog, table_id, 1, marker(copy.copy_id))
    catalog.tables.delete("main.default.t")
    with pytest.raises(ResourceDoesNotExist, match=f"Table with id '{table_id}'"):
        catalog.copies.announce(table_id, ["a"], forced=False)
    assert catalog.copies.announce(
        StagingTable.created(catalog).table_id, ["a"], forced=False
    ).paths == ["a"]


@pytest.mark.parametrize("user_metadata", [None, "", "of a user", "copy-into:1"])
def test_other_metadata_of_commits_is_nobodys(user_metadata: str | None) -> None:
    assert marked_copy(user_metadata) is None
