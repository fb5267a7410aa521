from __future__ import annotations

import subprocess

import pytest

from local_workspace.bundle.sync import hash_files, list_files

from .conftest import Write

FILES = {
    ".gitignore": "*.log\n/dist/\n!keep.log\n",
    "databricks.yml": "",
    "a/b.py": "",
    "a/b.log": "",
    "keep.log": "",
    "dist/x.whl": "",
    ".databricks/bundle/t/resources.json": "",
    "umlaut ä.txt": "",
}
SENT = [".gitignore", "a/b.py", "databricks.yml", "keep.log", "umlaut ä.txt"]


@pytest.mark.parametrize("in_git", [True, False])
def test_what_git_ignores_is_not_sent(write: Write, in_git: bool) -> None:
    root = write(FILES)
    if in_git:
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "add", "a/b.py"], cwd=root, check=True)
    (root / "link").symlink_to(root / "databricks.yml")
    assert list_files(root) == SENT
    assert list_files(root, exclude=["a/", "*.txt"]) == [".gitignore", "databricks.yml", "keep.log"]
    assert list_files(root, include=["dist/*", ".databricks/**"], exclude=["*.txt"]) == [
        ".gitignore",
        "a/b.py",
        "databricks.yml",
        "dist/x.whl",
        "keep.log",
    ]


def test_a_file_deleted_from_the_checkout_is_not_sent(write: Write) -> None:
    root = write(FILES)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "."], cwd=root, check=True)
    (root / "a/b.py").unlink()
    assert "a/b.py" not in list_files(root)


def test_a_hash_is_of_the_content(write: Write) -> None:
    root = write({"x": "same", "y": "same", "z": "other"})
    hashes = hash_files(root, ["x", "y", "z"])
    assert hashes["x"] == hashes["y"] != hashes["z"]
