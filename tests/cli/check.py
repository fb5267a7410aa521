"""Runs all commands of `commands.py` with the CLI on PATH against a fresh workspace: `make cli-check [RECORD=1]`.

With `--record` what the CLI sends is written to `recorded/`, which `test_recorded.py` sends again without the CLI.
Then this repository's own bundle is deployed, run and destroyed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from cli.client import Cli, StepFailed
from cli.commands import OWN_BUNDLE, SCENARIOS, Step
from cli.proxy import Proxy, Seen
from cli.recorder import Names, recorded
from cli.recording import save
from serving import serving
from support.workspace_process import WorkspaceProcess, workspace_process

from local_workspace.bundle.sync import list_files
from local_workspace.settings import read_env_file

BUNDLE = Path(__file__).parent / "bundle"
ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    executable = shutil.which("databricks")
    if executable is None:
        print("skipped: there is no Databricks CLI (databricks) on PATH")
        return 0
    with (
        tempfile.TemporaryDirectory() as folder,
        workspace_process(Path(folder, "state")) as served,
    ):
        served.start()
        check = Check(executable, Path(folder), served, record=arguments.record)
        for name, steps in SCENARIOS.items():
            check.run(name, steps, BUNDLE)
        check.run("own bundle", OWN_BUNDLE, ROOT)
    print(f"failed: {', '.join(check.failed)}" if check.failed else "all did as expected")
    return 1 if check.failed else 0


class Check:
    """Runs scenarios against one workspace; `failed` has the names of those that did something else."""

    def __init__(
        self, executable: str, folder: Path, served: WorkspaceProcess, *, record: bool
    ) -> None:
        self._executable = executable
        self._folder = folder
        self._values = read_env_file(served.state.env_file)
        self._state = served.state.root
        self._record = record
        self.failed: list[str] = []

    def run(self, name: str, steps: tuple[Step, ...], bundle: Path) -> None:
        """Run the steps in a copy of the bundle; the first that fails is printed and ends the scenario."""
        project = self._folder / name.replace(" ", "-")
        _copy(bundle, project)
        proxy = Proxy(self._values["DATABRICKS_HOST"])
        all_seen: list[tuple[Step, list[Seen]]] = []
        with serving(proxy) as url:
            cli = Cli(self._executable, project, {**self._values, "DATABRICKS_HOST": url})
            try:
                for step in steps:
                    cli.run(step)
                    all_seen.append((step, proxy.taken()))
            except StepFailed as failure:
                print(f"{name}: {failure}", file=sys.stderr)
                self.failed.append(name)
                return
        print(f"{name}: {len(steps)} commands")
        if self._record and name in SCENARIOS:
            save(name, recorded(all_seen, self._names(url, project)))

    def _names(self, url: str, project: Path) -> Names:
        return Names(
            {
                "proxy": url,
                "host": self._values["DATABRICKS_HOST"],
                "token": self._values["DATABRICKS_TOKEN"],
                "state": str(self._state),
                "folder": str(project),
            }
        )


def _copy(bundle: Path, project: Path) -> None:
    for path in list_files(bundle):
        copy = project / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle / path, copy)


if __name__ == "__main__":
    sys.exit(main())
