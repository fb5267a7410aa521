"""`make parity`: the pipeline's tests on OSS Spark with Delta Lake, and both engines' tables row by row.

Starts the server, runs the tests against it and ends it. Without Java 17 or Maven Central it says so
and succeeds, unless REQUIRE_PARITY is set.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ROOT / "engines"
JAVA = 17


class NoSpark(Exception):
    """Something that Spark needs is missing; it says what, and what to do."""


def main() -> int:
    """Run the tests; arguments are pytest's, and replace the default of all tests of the pipeline."""
    try:
        install()
        with spark_server() as remote:
            return _test(remote, sys.argv[1:] or ["tests/renewables"])
    except NoSpark as missing:
        print(f"Parity was skipped: {missing}")
        return 1 if os.environ.get("REQUIRE_PARITY") else 0


def install() -> None:
    """The environment of Spark; raises NoSpark without Java."""
    _require_java()
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": ".venv-spark"}
    sync = ["uv", "--directory", str(ENGINES), "sync", "--group", "spark", "--locked", "--quiet"]
    subprocess.run(sync, env=environment, check=True)


@contextmanager
def spark_server() -> Iterator[str]:
    """The sc:// URL of a server that ends with this block, or with this process; raises NoSpark."""
    command = [str(ENGINES / ".venv-spark" / "bin" / "python"), str(ENGINES / "spark.py")]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            log.seek(0)
            raise _start_error(log.read())
        try:
            yield f"sc://127.0.0.1:{json.loads(line)['port']}"
        finally:
            server.stdin.close()
            server.wait(timeout=300)


def _test(remote: str, arguments: list[str]) -> int:
    tests = ["uv", "run", "--no-sync", "pytest", "--quiet", "--engine", "spark", *arguments]
    environment = {**os.environ, "SPARK_REMOTE": remote}
    return subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode


def _require_java() -> None:
    hint = f"Install Java {JAVA} and put it on PATH."
    if shutil.which("java") is None:
        raise NoSpark(f"there is no java on PATH. {hint}")
    shown = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', shown)
    if version is None or int(version[1]) < JAVA:
        raise NoSpark(
            f"java on PATH is {shown.splitlines()[0] if shown else 'not working'}. {hint}"
        )


def _start_error(log: str) -> Exception:
    if "unresolved dependency" in log.lower():
        return NoSpark("Maven Central does not answer, and Delta Lake's jars are not cached here.")
    return RuntimeError(f"Spark did not start:\n{log[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
