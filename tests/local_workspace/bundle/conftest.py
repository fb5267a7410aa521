from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Switchboard
from workspace_parts import BundleWorkspace, bundle_workspace

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def workspace(switchboard: Switchboard, tmp_path: Path) -> Iterator[BundleWorkspace]:
    with bundle_workspace(switchboard, tmp_path / "state") as served:
        yield served


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def write(root: Path) -> Write:
    """Writes files of a bundle by their path and gives the bundle's folder."""

    def files(contents: dict[str, str]) -> Path:
        for path, text in contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(textwrap.dedent(text))
        return root

    return files
