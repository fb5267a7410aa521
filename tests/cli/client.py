"""The real CLI, run as a person would: in a folder of its own, with the workspace's env file."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import IO, Any

from cli.commands import Step

WATCH_SECONDS = 30
INHERITED = ("HOME", "PATH", "SSL_", "UV_", "XDG_")
"""Of the environment: what builds need, and nothing that the CLI would take for its own."""


class StepFailed(Exception):
    """A command did not do what the table says."""


class Cli:
    """Runs steps in `folder`; what they keep is known to the later ones."""

    def __init__(self, executable: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._executable = executable
        self._folder = folder
        self._kept: dict[str, str] = {}
        config = folder.with_name(f"{folder.name}.databrickscfg")
        config.touch()
        self._environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(INHERITED)},
            "BROWSER": "none",
            "DATABRICKS_CACHE_ENABLED": "false",
            "DATABRICKS_CONFIG_FILE": str(config),
            **environment,
        }

    def run(self, step: Step) -> None:
        """StepFailed, with the output, where the exit code or the output is another one."""
        self._write(step.files)
        if step.while_watching:
            self._watch(step)
        elif step.at_once > 1:
            self._run_at_once(step)
        else:
            process = self._start(step)
            output, errors = process.communicate()
            self._check(step, process.returncode, output + errors)
            if step.keep:
                found = json.loads(output)
                self._kept |= {name: _pick(found, path) for name, path in step.keep.items()}

    def _start(
        self, step: Step, output: int | IO[str] = subprocess.PIPE, folder: Path | None = None
    ) -> subprocess.Popen[str]:
        command = shlex.split(Template(step.command).safe_substitute(self._kept))
        return subprocess.Popen(
            [self._executable, *command],
            cwd=folder or self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE if output == subprocess.PIPE else subprocess.STDOUT,
            text=True,
        )

    def _check(self, step: Step, code: int, output: str) -> None:
        wanted = [Template(text).safe_substitute(self._kept) for text in step.shows]
        missing = [text for text in wanted if text not in output]
        if code != step.exit or missing:
            raise StepFailed(
                f"databricks {step.command}\n  exit code {code}, expected {step.exit}; "
                f"not shown: {missing or 'nothing'}; its output:\n{output}"
            )

    def _run_at_once(self, step: Step) -> None:
        """Each in a folder of its own, as two people would."""
        folders = [self._folder.with_name(f"{self._folder.name}-{n}") for n in range(step.at_once)]
        for folder in folders:
            shutil.copytree(self._folder, folder)
        processes = [self._start(step, folder=folder) for folder in folders]
        outputs = ["".join(process.communicate()) for process in processes]
        refused = [
            output for process, output in zip(processes, outputs, strict=True) if process.returncode
        ]
        if len(refused) == step.at_once or any("deploy lock acquired" not in o for o in refused):
            raise StepFailed(f"databricks {step.command}, at once\n" + "\n".join(outputs))

    def _watch(self, step: Step) -> None:
        log = self._folder.with_name(f"{self._folder.name}-watched.log")
        with log.open("w") as file:
            process = self._start(step, file)
            try:
                for text, files in step.while_watching:
                    _wait_for(text, log)
                    self._write(files)
            finally:
                process.terminate()
                process.wait()

    def _write(self, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            file = self._folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(content)


def _wait_for(text: str, log: Path) -> None:
    deadline = time.monotonic() + WATCH_SECONDS
    while text not in log.read_text():
        if time.monotonic() > deadline:
            raise StepFailed(f"{text!r} was not shown within {WATCH_SECONDS} s:\n{log.read_text()}")
        time.sleep(0.02)


def _pick(value: Any, path: str) -> str:
    for part in path.split("."):
        value = value[int(part) if isinstance(value, list) else part]
    return str(value)
