"""Folders that belong to rows of the database."""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterable
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder and all in it, if it is there; raises OSError where that fails."""
    if folder.exists():
        shutil.rmtree(folder)


def remove_all_but(folders: Iterable[Path], wanted: Container[Path]) -> None:
    """Remove those of `folders` that are not wanted: what a killed process left behind."""
    for folder in folders:
        if folder not in wanted:
            remove(folder)
