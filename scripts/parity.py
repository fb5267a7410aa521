"""`make parity`: the pipeline's tests on OSS Spark with Delta Lake, and both engines' tables row by row.

Starts the server, runs the tests against it and ends it. Without Java 17 it says so and succeeds,
unless REQUIRE_PARITY is set.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ROOT / "engines"
JAVA = 17


def main() -> int:
    problem = _java_problem()
    if problem:
        print(f"Parity was not checked: {problem} Install Java {JAVA} and put it on PATH.")
        return 1 if os.environ.get("REQUIRE_PARITY") else 0
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": ".venv-spark"}
    sync = ["uv", "--directory", str(ENGINES), "sync", "--group", "spark", "--locked", "--quiet"]
    subprocess.run(sync, env=environment, check=True)
    with spark_server() as remote:
        tests = ["uv", "run", "--no-sync", "pytest", "--engine", "spark", "tests/renewables"]
        return subprocess.run(
            [*tests, *sys.argv[1:]],
            cwd=ROOT,
            env={**os.environ, "SPARK_REMOTE": remote},
            check=False,
        ).returncode


@contextmanager
def spark_server() -> Iterator[str]:
    """The sc:// URL of a server that ends with this block, or with this process."""
    command = [str(ENGINES / ".venv-spark" / "bin" / "python"), str(ENGINES / "spark.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise SystemExit("Spark did not start; its reasons are above. It needs Maven Central.")
        try:
            yield f"sc://127.0.0.1:{json.loads(line)['port']}"
        finally:
            server.stdin.close()
            server.wait(timeout=60)


def _java_problem() -> str:
    if shutil.which("java") is None:
        return "there is no java on PATH."
    shown = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', shown)
    if version is None or int(version[1]) < JAVA:
        return f"java on PATH is {shown.splitlines()[0] if shown else 'not working'}."
    return ""


if __name__ == "__main__":
    sys.exit(main())
