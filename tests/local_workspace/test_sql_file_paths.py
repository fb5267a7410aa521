"""The files that a statement may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_workspace.sql.errors import SqlError
from local_workspace.sql.file_paths import require_mounted


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    volume = tmp_path / "mounts" / "Volumes" / "main" / "s" / "v"
    volume.mkdir(parents=True)
    (volume / "link").symlink_to("/etc")
    return tmp_path / "mounts"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM csv.`/Volumes/main/s/v/x.csv`",
        "SELECT * FROM csv.`dbfs:/Volumes/main/s/v/x.csv`",
        "SELECT * FROM json . `/Workspace/Shared/x.json`",
        "CREATE TABLE t (a INT) USING csv LOCATION '/Volumes/main/s/v'",
        "SELECT * FROM csv.t, csv.`t`, main.csv.`a.b`",
        "SELECT * FROM t WHERE path = '/etc/passwd' AND location = 'Berlin'",
        "SELECT '/etc/passwd' AS path, 'LOCATION', '/Volumes/../x'",
    ],
)
def test_files_of_volumes_and_of_the_workspace(mounts: Path, statement: str) -> None:
    require_mounted(statement, mounts)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT * FROM csv.`/etc/passwd`", "must begin with /Workspace/ or /Volumes/"),
        ("SELECT * FROM TEXT.`file:/etc/passwd`", "must be absolute"),
        ("SELECT * FROM csv . `../x/y`", "must be absolute"),
        ("SELECT * FROM csv.`dbfs:/tmp/x`", "must begin with /Workspace/ or /Volumes/"),
        ("SELECT * FROM delta.`/Volumes/main/s/v/../../x`", "not a valid name: '..'"),
        ("SELECT * FROM csv.`/Volumes/main/s/v/link/passwd`", "through a symbolic link"),
        ("CREATE TABLE t USING csv LOCATION '/etc'", "must begin with /Workspace/ or /Volumes/"),
        ("CREATE TEMPORARY VIEW t USING csv OPTIONS (path = '/etc/passwd')", "must begin with"),
        ("INSERT OVERWRITE LOCAL DIRECTORY '/tmp/x' SELECT 1", "must begin with"),
    ],
)
def test_other_files_are_not_there(mounts: Path, statement: str, reason: str) -> None:
    with pytest.raises(SqlError) as refused:
        require_mounted(statement, mounts)
    assert refused.value.message.startswith("[PATH_NOT_FOUND] Path does not exist: ")
    assert reason in refused.value.message
    assert refused.value.sql_state == "42K03"
