"""`make test`: the tests of Airflow's environment beside those of the project's. Standard library only.

Arguments are pytest's, for the project's tests.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from typing import IO, List, Optional

from environments import AIRFLOW, PROJECT, Environment, clean_environment


def main(arguments: List[str]) -> int:
    """The exit code of the project's tests, or Airflow's where only these fail; their output comes last."""
    with tempfile.TemporaryFile() as output:
        airflow = _pytest(AIRFLOW, ["--quiet"], output)
        code = _wait(_pytest(PROJECT, arguments))
        airflow_code = _wait(airflow)
        print("\nThe tests of airflow/:", flush=True)
        output.seek(0)
        sys.stdout.buffer.write(output.read())
    return code or airflow_code


def _pytest(
    environment: Environment, arguments: List[str], output: Optional[IO[bytes]] = None
) -> subprocess.Popen[bytes]:
    command = [str(environment.python), "-m", "pytest", *arguments]
    folder, env = environment.folder, clean_environment()
    return subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches pytest too, which then ends by itself."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
