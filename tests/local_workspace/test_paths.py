from __future__ import annotations

from pathlib import Path

import pytest

from local_workspace.errors import InvalidParameterValue
from local_workspace.paths import resolve, to_databricks, to_local

MOUNTS = Path("/state/mounts")

TRANSLATED = [
    ("/Volumes/main/a/v/x.csv", "/state/mounts/Volumes/main/a/v/x.csv"),
    ("/Workspace/Users/me/x.py", "/state/mounts/Workspace/Users/me/x.py"),
    ("--source=/Volumes/main/a/v", "--source=/state/mounts/Volumes/main/a/v"),
    ('["/Volumes/a", "/Volumes/b"]', '["/state/mounts/Volumes/a", "/state/mounts/Volumes/b"]'),
    ("/Volumes/a,/Volumes/b", "/state/mounts/Volumes/a,/state/mounts/Volumes/b"),
    ("read_files('/Volumes/a')", "read_files('/state/mounts/Volumes/a')"),
    ("SELECT * FROM csv.`/Volumes/a`", "SELECT * FROM csv.`/state/mounts/Volumes/a`"),
    ("cp /Volumes/a\t/Volumes/b", "cp /state/mounts/Volumes/a\t/state/mounts/Volumes/b"),
    ("f(/Volumes/a)", "f(/state/mounts/Volumes/a)"),
    ("file:/Workspace/a", "file:/state/mounts/Workspace/a"),
    ("file:///Volumes/a", "file:///state/mounts/Volumes/a"),
]

UNTOUCHED = [
    "",
    "s3://bucket/Volumes/main/a",
    "https://host/Workspace/x",
    "/data/Volumes/x",
    "./Volumes/x",
    "x/Workspace/y",
    "/Volumesx/a",
    "/volumes/a",
    "/Volumes",
    "s3:/Volumes/a",
    "xdbfs:/Volumes/a",
    "/state/mounts/Volumes/main/a",
    "//Volumes/a",
]


@pytest.mark.parametrize(("databricks", "local"), TRANSLATED)
def test_mounted_paths_are_translated_in_both_directions(databricks: str, local: str) -> None:
    assert to_local(databricks, MOUNTS) == local
    assert to_databricks(local, MOUNTS) == databricks


def test_a_dbfs_uri_of_a_volume_becomes_a_plain_path() -> None:
    assert to_local("dbfs:/Volumes/main/a", MOUNTS) == "/state/mounts/Volumes/main/a"


@pytest.mark.parametrize("text", UNTOUCHED)
def test_other_text_stays(text: str) -> None:
    assert to_local(text, MOUNTS) == text


@pytest.mark.parametrize("text", ["/state/mountsX/Volumes/a", "/x/state/mounts/Volumes/a"])
def test_only_paths_under_the_mounts_become_databricks_paths(text: str) -> None:
    assert to_databricks(text, MOUNTS) == text


@pytest.mark.parametrize("folder", ["/a.b+c", r"/a\1"])
def test_folders_with_special_characters_are_taken_literally(folder: str) -> None:
    mounts = Path(folder)
    local = to_local("'/Volumes/a'", mounts)
    assert local == f"'{folder}/Volumes/a'"
    assert to_databricks(local, mounts) == "'/Volumes/a'"


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/Volumes/main/a/v", "Volumes/main/a/v"),
        ("/Volumes//main/a/v/", "Volumes/main/a/v"),
        ("/Workspace/Users/ä b/..x", "Workspace/Users/ä b/..x"),
        ("/Workspace", "Workspace"),
    ],
)
def test_resolve(path: str, local: str) -> None:
    assert resolve(MOUNTS, path) == MOUNTS / local


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "Path '' must be absolute."),
        ("Volumes/main", "Path 'Volumes/main' must be absolute."),
        ("/", "Path '/' must begin with /Workspace/ or /Volumes/."),
        ("/etc/passwd", "Path '/etc/passwd' must begin with /Workspace/ or /Volumes/."),
        ("/volumes/a", "Path '/volumes/a' must begin with /Workspace/ or /Volumes/."),
        ("/../Volumes", "Path '/../Volumes' must begin with /Workspace/ or /Volumes/."),
        ("/Volumes/..", "Path '/Volumes/..' has a part that is not a valid name: '..'."),
        (
            "/Volumes/a/../../b",
            "Path '/Volumes/a/../../b' has a part that is not a valid name: '..'.",
        ),
        ("/Volumes/./a", "Path '/Volumes/./a' has a part that is not a valid name: '.'."),
        ("/Volumes/a\0b", "Path '/Volumes/a\0b' has a part that is not a valid name: 'a\0b'."),
    ],
)
def test_resolve_refuses(path: str, message: str) -> None:
    with pytest.raises(InvalidParameterValue) as refused:
        resolve(MOUNTS, path)
    assert refused.value.message == message


def test_resolve_refuses_a_name_that_no_file_system_takes() -> None:
    with pytest.raises(InvalidParameterValue, match="not a valid name"):
        resolve(MOUNTS, "/Volumes/" + "ä" * 128)


def test_resolve_refuses_a_path_that_no_file_system_takes() -> None:
    with pytest.raises(InvalidParameterValue, match="is too long for this machine's file system"):
        resolve(MOUNTS, "/Volumes" + "/a" * 2000)


def test_links_that_form_a_circle_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "Volumes").mkdir()
    (tmp_path / "Volumes" / "loop").symlink_to("loop")
    assert resolve(tmp_path, "/Volumes/loop/x") == tmp_path / "Volumes/loop/x"


def test_resolve_refuses_a_symbolic_link_out_of_its_mount(tmp_path: Path) -> None:
    (tmp_path / "Volumes").mkdir()
    (tmp_path / "Workspace").mkdir()
    (tmp_path / "Volumes" / "out").symlink_to(tmp_path / "Workspace")
    (tmp_path / "Volumes" / "in").symlink_to(tmp_path / "Volumes" / "v")
    assert resolve(tmp_path, "/Volumes/in/x") == tmp_path / "Volumes/in/x"
    with pytest.raises(InvalidParameterValue) as refused:
        resolve(tmp_path, "/Volumes/out/x")
    assert refused.value.message == (
        "Path '/Volumes/out/x' leads out of /Volumes through a symbolic link."
    )
