"""Sets up what the project needs: uv, a Python 3.12 and three locked environments.

Standard library and Python 3.9 only. uv is put into `.local/uv` when it is not on PATH; nothing else on the machine
is touched.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from steps import Steps

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
STATE = Path(os.environ.get("LOCAL_WORKSPACE_STATE", LOCAL)).absolute()
"""What a run writes; what is installed always is in LOCAL."""
PYTHON = "3.12"
NEEDED_TO_INSTALL = 2_500_000_000
NEEDED_TO_RUN = 300_000_000
"""Bytes of disk space: for the three environments, and for what a run writes."""


class SetupError(Exception):
    """One sentence that names what is missing and what to do."""


@dataclass(frozen=True)
class Environment:
    name: str
    folder: Path
    arguments: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        return self.folder / ".venv" / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / ".venv" / "locked"


PROJECT = Environment("project", ROOT)
AIRFLOW = Environment("airflow", ROOT / "airflow")
SAIL = Environment("sail", ROOT / "engines", ("--group", "sail"))
ENVIRONMENTS = (PROJECT, AIRFLOW, SAIL)


def set_up(steps: Steps) -> str:
    """Makes sure that everything is there; returns the path of uv. Raises SetupError."""
    missing = [env for env in ENVIRONMENTS if not _is_current(env)]
    _check_disk(NEEDED_TO_INSTALL if missing else NEEDED_TO_RUN)
    uv = find_uv(steps)
    if not missing:
        steps.done("environments", "up to date")
        return uv
    python = _find_python(uv)
    steps.update("environments", f"installing {', '.join(env.name for env in missing)}")
    errors: list[str] = []
    threads = [
        threading.Thread(target=_sync, args=(uv, python, env, errors), daemon=True)
        for env in missing
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise SetupError(errors[0])
    steps.done("environments", ", ".join(env.name for env in missing))
    return uv


def find_uv(steps: Steps) -> str:
    """uv from PATH, else from `.local/uv`, where pip puts it."""
    folder = LOCAL / "uv"
    found = shutil.which("uv") or shutil.which("uv", path=str(folder / "bin"))
    if not found:
        steps.update("uv", "installing into .local/uv")
        _install_uv(folder)
        found = shutil.which("uv", path=str(folder / "bin"))
    if not found:
        raise SetupError("uv is not on PATH and could not be installed; install uv and try again.")
    steps.done("uv", found if not found.startswith(str(ROOT)) else os.path.relpath(found, ROOT))
    return found


def _install_uv(folder: Path) -> None:
    """With pip where Python has it, else with the pip of a new virtual environment."""
    target = ["--quiet", "--disable-pip-version-check", "--target", str(folder), "uv"]
    first = _run([sys.executable, "-m", "pip", "install", *target])
    if first.returncode == 0:
        return
    venv = LOCAL / "bootstrap"
    made = _run([sys.executable, "-m", "venv", str(venv)])
    second = made if made.returncode else _run([str(venv / "bin" / "pip"), "install", *target])
    shutil.rmtree(venv, ignore_errors=True)
    if second.returncode:
        raise SetupError(
            "uv is not on PATH and pip could not install it "
            f"({_last_line(first.stderr)}); check the package registry's address, or install uv by hand."
        )


def _find_python(uv: str) -> str:
    """A Python 3.12 that is there (uv's, PATH's or pyenv's), else one that uv downloads."""
    found = _run([uv, "python", "find", "--no-python-downloads", "--no-project", PYTHON])
    if found.returncode == 0:
        return found.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in sorted(pyenv.glob(f"{PYTHON}.*/bin/python{PYTHON}"), reverse=True):
        return str(candidate)
    if _run([uv, "python", "install", PYTHON]).returncode == 0:
        return PYTHON
    raise SetupError(
        f"There is no Python {PYTHON} and uv could not download one; install Python {PYTHON}."
    )


def _sync(uv: str, python: str, env: Environment, errors: list[str]) -> None:
    command = [uv, "sync", "--frozen", "--python", python, "--compile-bytecode", *env.arguments]
    done = _run(command, cwd=env.folder)
    if done.returncode == 0:
        env.stamp.write_text(_lock_hash(env))
        return
    errors.append(
        f"uv could not install the {env.name} environment ({_cause(done.stderr)}); "
        "check that the package registry answers and that the disk has room, then try again."
    )


def _is_current(env: Environment) -> bool:
    return env.python.exists() and env.stamp.exists() and env.stamp.read_text() == _lock_hash(env)


def _lock_hash(env: Environment) -> str:
    digest = hashlib.sha256(str(env.folder).encode())
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((env.folder / name).read_bytes())
    return digest.hexdigest()


def _check_disk(needed: int) -> None:
    free = shutil.disk_usage(ROOT).free
    if free < needed:
        raise SetupError(
            f"The disk of {ROOT} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; "
            "free some space and try again."
        )


def clean_environment() -> dict[str, str]:
    """The environment of all that is started: with uv on PATH, without a virtual environment of somebody else's."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    path = kept.get("PATH", os.defpath)
    return {**kept, "PATH": f"{path}{os.pathsep}{LOCAL / 'uv' / 'bin'}"}


def _run(command: list[str], cwd: Optional[Path] = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=clean_environment(), capture_output=True, text=True)


def _cause(text: str) -> str:
    """What uv says first of an error; the lines after it tell how it came there."""
    lines = [line.strip(" \u00d7") for line in text.splitlines()]
    return next(
        (line for line in lines if line.lower().startswith(("failed", "error"))), _last_line(text)
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def main() -> int:
    steps = Steps()
    try:
        with steps:
            set_up(steps)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
