"""COPY INTO when the workspace is killed under it: no file is lost, none is loaded twice."""

from __future__ import annotations

import io
from pathlib import Path

from databricks.sdk.service.catalog import VolumeType
from support.forked_workspace import forked_workspace
from support.waiting import wait_until

from local_workspace.api.sql import WAREHOUSE_ID
from local_workspace.settings import StateDir
from local_workspace.statement import rows_of

FOLDER = "/Volumes/main/default/in"
COPY = f"COPY INTO t FROM '{FOLDER}' FILEFORMAT = JSON"


def test_a_kill_while_files_are_committed_loads_them_once(tmp_path: Path) -> None:
    with forked_workspace(tmp_path / "state") as served:
        client = served.start()
        client.volumes.create("main", "default", "in", VolumeType.MANAGED)
        for number in range(3):
            client.files.upload(f"{FOLDER}/{number}.json", io.BytesIO(b'{"id": %d}\n' % number))
        rows_of(client, "CREATE TABLE t (id BIGINT)")
        client.statement_execution.execute_statement(COPY, WAREHOUSE_ID, wait_timeout="0s")
        wait_for_staged_commit(served.state)
        served.kill()
        client = served.start()
        rows_of(client, COPY)
        _, rows = rows_of(client, "SELECT id FROM t ORDER BY id")
        assert rows == [["0"], ["1"], ["2"]]
        assert rows_of(client, COPY)[1] == [["0", "0", "0"]]


def wait_for_staged_commit(state: StateDir) -> None:
    """The commit is then ratified, or about to be."""
    staged = "*/_delta_log/_staged_commits/*"
    wait_until(lambda: any(state.tables.glob(staged)), "a commit that COPY INTO has staged")
