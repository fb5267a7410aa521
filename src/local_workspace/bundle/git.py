"""What git knows about the bundle's folder; all of it may be missing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def details(root: Path) -> dict[str, str]:
    """The fields of `bundle.git`: branch, commit, origin and where the bundle is in the repository."""
    prefix = run(root, "rev-parse", "--show-prefix")
    branch = run(root, "symbolic-ref", "--short", "-q", "HEAD")
    found = {
        "actual_branch": branch,
        "branch": branch,
        "commit": run(root, "rev-parse", "--verify", "-q", "HEAD"),
        "origin_url": _without_credentials(run(root, "config", "--get", "remote.origin.url") or ""),
        "bundle_root_path": (prefix or "").rstrip("/") or ".",
    }
    return {name: value for name, value in found.items() if value}


def run(root: Path, *arguments: str) -> str | None:
    """What git prints; None without git, outside a repository, or where git fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip("\n")


def _without_credentials(url: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", url)
