"""What `make parity` says where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from parity import NoSpark, _start_error  # noqa: E402


@pytest.mark.parametrize(
    ("java", "message"),
    [
        (None, "Parity was skipped: there is no java on PATH. Install Java 17 and put it on PATH."),
        (
            "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2",
            'Parity was skipped: java on PATH is openjdk version "11.0.2" 2019-01-15. Install Java 17',
        ),
    ],
    ids=["no Java", "an old Java"],
)
def test_says_what_is_missing(tmp_path: Path, java: str | None, message: str) -> None:
    if java:
        (tmp_path / "java").write_text(f"#!/bin/sh\n{java}\n")
        (tmp_path / "java").chmod(0o755)
    environment = {**os.environ, "PATH": str(tmp_path), "REQUIRE_PARITY": ""}
    command = [sys.executable, str(ROOT / "scripts" / "parity.py")]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(message)
    environment["REQUIRE_PARITY"] = "1"
    assert run().returncode == 1


def test_tells_a_missing_maven_central_from_other_failures() -> None:
    missing = _start_error("...\n::   UNRESOLVED DEPENDENCIES   ::\n... unresolved dependency: io")
    assert isinstance(missing, NoSpark)
    assert "Maven Central does not answer" in str(missing)
    with pytest.raises(RuntimeError, match="Spark did not start:\nno memory"):
        raise _start_error("no memory")
