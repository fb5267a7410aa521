from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_workspace.bundle import artifact
from local_workspace.bundle.errors import BuildFailed, MissingWheel

NAME = "shop-0.1.0-py3-none-any.whl"


def wheel(root: Path, command: str) -> dict[str, Any]:
    return artifact.with_paths({"w": {"type": "whl", "build": command}}, root)["w"]


def test_a_build_makes_the_files_that_are_shipped(root: Path) -> None:
    built = wheel(root, f"mkdir -p dist; touch dist/{NAME}")
    steps: list[str] = []
    artifact.build("w", built, steps.append)
    assert artifact.files_of(built) == [root / "dist" / NAME]
    assert steps == ["building w"]


def test_a_failed_build_shows_its_output(root: Path) -> None:
    with pytest.raises(BuildFailed) as refusal:
        artifact.build("w", wheel(root, "echo no such module; exit 3"), print)
    assert str(refusal.value) == (
        "The build of artifact w (echo no such module; exit 3) failed with exit code 3:\n"
        "no such module"
    )
    with pytest.raises(BuildFailed, match=r"of artifact w \(true\) made no file .*/dist/\*\.whl\."):
        artifact.build("w", wheel(root, "true"), print)


def test_of_several_wheels_the_newest_counts(root: Path) -> None:
    names = ["shop-0.9.0", "shop-0.10.0", "shop-0.10.0rc1", "other-1.0"]
    (root / "dist").mkdir()
    for name in names:
        (root / "dist" / f"{name}-py3-none-any.whl").touch()
    (root / "dist" / "notes.txt").touch()
    found = artifact.find_libraries(root, "dist/*", "job x")
    assert [path.name for path in found] == [
        "notes.txt",
        "other-1.0-py3-none-any.whl",
        "shop-0.10.0-py3-none-any.whl",
    ]
    with pytest.raises(
        MissingWheel, match=r"job x names the library lib/\*\.whl, and no file matches"
    ):
        artifact.find_libraries(root, "lib/*.whl", "job x")
