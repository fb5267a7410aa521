"""`make deploy TARGET=...`: the local target without the Databricks CLI, every other one through it."""

from __future__ import annotations

import shutil
import subprocess
import sys

from environments import PROJECT, ROOT, clean_environment

TARGETS = ("local", "dev", "staging", "prod")
CLI_HELP = "https://docs.databricks.com/aws/en/dev-tools/cli/install"


def main(target: str) -> int:
    if target not in TARGETS:
        print(
            f"error: TARGET={target} is unknown; use one of {', '.join(TARGETS)}.", file=sys.stderr
        )
        return 2
    if target == "local":
        command = [str(PROJECT.python.parent / "local-workspace"), "deploy", "--target", "local"]
        return subprocess.call(command, cwd=ROOT, env=clean_environment())
    if shutil.which("databricks") is None:
        print(
            f"error: TARGET={target} needs the Databricks CLI, which is not on PATH; see {CLI_HELP}.",
            file=sys.stderr,
        )
        return 1
    # The host comes from the target in databricks.yml and the credentials from the CLI's own configuration.
    command = ["databricks", "bundle", "deploy", "--target", target]
    return subprocess.call(command, cwd=ROOT, env=clean_environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
