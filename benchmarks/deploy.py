"""Deploying this bundle, against building its wheel alone; importing 500 files, against writing them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from databricks.sdk import WorkspaceClient
from measuring import ROOT, cold_start, line, timed, workspace

from local_workspace.bundle.deploy import deploy
from local_workspace.bundle.sync import list_files
from local_workspace.settings import read_env_file

FILES = 500
BUILD = ("uv", "build", "--wheel", "--quiet", "--out-dir")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, workspace() as (served, client):
        bundle = Path(folder, "bundle")
        for path in list_files(ROOT):
            copy = bundle / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copy)
        build = timed(lambda: _run(bundle, {}, *BUILD, str(Path(folder, "out"))))
        measure("bundle deploy", lambda: deploy(bundle, "local", {}, client, _say_nothing), build)
        start = cold_start("import databricks.sdk")
        line("importing the SDK for local-workspace deploy", start, None, "uv build --wheel", build)
        cli = Cli(bundle, read_env_file(served.state.env_file))
        if cli.is_there:
            shutil.rmtree(bundle / "dist")
            deploy_by_cli = partial(cli.run, "bundle", "deploy", "--target", "local")
            measure("bundle deploy by the CLI", deploy_by_cli, build)
        else:
            print("databricks is not on PATH: what it takes itself is not measured")
        import_files(client, Path(folder, "files"), cli)


def measure(name: str, action: Callable[[], object], build: float) -> None:
    for state, limit in (("first", 3000), ("unchanged", 1500)):
        line(f"{name}, {state}", timed(action), limit, "uv build --wheel", build)


def import_files(client: WorkspaceClient, folder: Path, cli: Cli) -> None:
    folder.mkdir()
    content = {f"file_{number}.txt": b"content\n" * 100 for number in range(FILES)}
    written = timed(lambda: [(folder / name).write_bytes(data) for name, data in content.items()])
    root = "/api/2.0/workspace-files/import-file/Shared/imported"
    client.workspace.mkdirs("/Shared/imported")

    def post(name: str, data: bytes) -> object:
        path = f"{root}/{name}"
        return client.api_client.do("POST", path, query={"overwrite": "true"}, data=data)

    imported = timed(lambda: [post(name, data) for name, data in content.items()])
    line(f"import of {FILES} files", imported, 5000, "writing them", written)
    if cli.is_there:
        imported = timed(lambda: cli.run("workspace", "import-dir", str(folder), "/Shared/by-cli"))
        line(f"import of {FILES} files by the CLI", imported, 5000, "writing them", written)


@dataclass(frozen=True)
class Cli:
    """The Databricks CLI in the folder of a bundle; `environment` is the workspace's."""

    folder: Path
    environment: dict[str, str]

    @property
    def is_there(self) -> bool:
        return shutil.which("databricks") is not None

    def run(self, *arguments: str) -> None:
        _run(self.folder, self.environment, "databricks", *arguments)


def _say_nothing(_: str) -> None:
    pass


def _run(folder: Path, environment: dict[str, str], *command: str) -> None:
    """CalledProcessError where it fails; its output is shown only then."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()


if __name__ == "__main__":
    main()
