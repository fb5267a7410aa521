"""What tasks, requirements files and `%pip install` may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_workspace.execution.library_set import LibrarySet
from local_workspace.runtime.wheel import LibraryError, Wheel

FOLDER = "/Workspace/Shared/app"


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    folder = tmp_path / "Workspace" / "Shared" / "app"
    (folder / "dist").mkdir(parents=True)
    (folder / "dist" / "own-1.0-py3-none-any.whl").touch()
    (folder / "requirements.txt").write_text(
        "# a comment\n\nrequests>=2  # why\n-r more.txt\n./dist/own-1.0-py3-none-any.whl[plots]\n"
    )
    (folder / "more.txt").write_text("--extra-index-url https://host/simple\n-r requirements.txt\n")
    (folder / "binary.txt").write_bytes(b"\xff\xfe")
    return tmp_path


def wheel(mounts: Path, *extras: str) -> Wheel:
    return Wheel(mounts / "Workspace/Shared/app/dist/own-1.0-py3-none-any.whl", extras)


def test_arguments_of_pip(mounts: Path) -> None:
    wanted = LibrarySet(mounts)
    wanted.add_arguments(
        "-q 'pandas>=2' -U numpy ../app/dist/own-1.0-py3-none-any.whl --pre -i https://host/simple",
        FOLDER,
    )
    assert wanted.requirements == ["pandas>=2", "numpy"]
    assert wanted.wheels == [wheel(mounts)]
    assert wanted.options == ["--index-url", "https://host/simple", "--prerelease=allow"]


def test_a_requirements_file_may_name_others(mounts: Path) -> None:
    wanted = LibrarySet(mounts)
    wanted.add_arguments("-r requirements.txt", FOLDER)
    assert wanted.requirements == ["requests>=2"]
    assert wanted.wheels == [wheel(mounts, "plots")]
    assert wanted.options == ["--extra-index-url", "https://host/simple"]


@pytest.mark.parametrize("prefix", ["", "dbfs:"])
def test_the_libraries_of_a_task(mounts: Path, prefix: str) -> None:
    wanted = LibrarySet(mounts)
    for library in (
        {"whl": f"{prefix}{FOLDER}/dist/own-1.0-py3-none-any.whl"},
        {"pypi": {"package": "simplejson==3.8.0", "repo": "https://host/simple"}},
        {"requirements": f"{prefix}{FOLDER}/requirements.txt"},
    ):
        wanted.add_library(library)
    assert wanted.wheels == [wheel(mounts), wheel(mounts, "plots")]
    assert wanted.requirements == ["simplejson==3.8.0", "requests>=2"]
    assert wanted.options[:2] == ["--index-url", "https://host/simple"]


@pytest.mark.parametrize(
    ("library", "message"),
    [
        ({"jar": "/Volumes/x.jar"}, "installs whl, pypi and requirements libraries, not jar"),
        ({"maven": {"coordinates": "a:b:1"}}, "requirements libraries, not maven"),
        ({"whl": f"{FOLDER}/none-1.0-py3-none-any.whl"}, f"Library not found: {FOLDER}/none-1.0"),
        ({"whl": "/etc/x-1.0-py3-none-any.whl"}, "must begin with /Workspace/ or /Volumes/"),
    ],
)
def test_libraries_that_cannot_be_installed(
    mounts: Path, library: dict[str, Any], message: str
) -> None:
    with pytest.raises(LibraryError, match=message):
        LibrarySet(mounts).add_library(library)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--user x", "does not have the option --user of pip"),
        ("-r", "%pip install: argument -r/--requirement: expected one argument"),
        ("'x", "cannot be read: No closing quotation"),
        ("./x.tar.gz", "./x.tar.gz is not a wheel; build one of it"),
        ("-e .", "does not have the option -e of pip"),
        (".", "\\. is not a wheel"),
        ("-r none.txt", f"Library not found: {FOLDER}/none.txt"),
        ("-r ../../../../etc/passwd", "must begin with /Workspace/ or /Volumes/"),
        ("-r binary.txt", f"Could not read the requirements file {FOLDER}/binary.txt"),
    ],
)
def test_arguments_that_are_refused(mounts: Path, arguments: str, message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        LibrarySet(mounts).add_arguments(arguments, FOLDER)
