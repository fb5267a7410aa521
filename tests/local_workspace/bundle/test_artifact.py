from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_workspace.bundle import artifact
from local_workspace.bundle.errors import BuildFailed, MissingWheel

SOURCES = {"pyproject.toml": "1", "src/x.py": "2"}
NAME = "shop-0.1.0-py3-none-any.whl"


def wheel(root: Path, command: str) -> dict[str, Any]:
    return artifact.with_paths({"w": {"type": "whl", "build": command}}, root)["w"]


def test_a_build_runs_once_for_the_same_sources(root: Path) -> None:
    built = wheel(root, f"mkdir -p dist; echo >> log; touch dist/{NAME}")
    steps: list[str] = []

    def builds(sources: dict[str, str]) -> int:
        artifact.build("w", built, sources, steps.append)
        return len((root / "log").read_text())

    assert builds(SOURCES) == 1
    assert builds(SOURCES) == 1
    assert builds({**SOURCES, "src/x.py": "changed"}) == 2
    assert artifact.files_of(built) == [root / "dist" / NAME]
    (root / "dist" / NAME).unlink()
    assert builds({**SOURCES, "src/x.py": "changed"}) == 3
    assert steps == ["building w"] * 3


def test_a_failed_build_shows_its_output_and_is_tried_again(root: Path) -> None:
    failing = wheel(root, "echo no such module; exit 3")
    for _ in range(2):
        with pytest.raises(BuildFailed) as refusal:
            artifact.build("w", failing, SOURCES, print)
        assert str(refusal.value) == (
            "The build of artifact w (echo no such module; exit 3) failed with exit code 3:\n"
            "no such module"
        )
    with pytest.raises(BuildFailed, match=r"of artifact w \(true\) made no file .*/dist/\*\.whl\."):
        artifact.build("w", wheel(root, "true"), SOURCES, print)


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
