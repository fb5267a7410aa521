"""`%pip` in a notebook: libraries for this run alone. https://docs.databricks.com/libraries/notebooks-python-libraries"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors.base import DatabricksError
from packaging.requirements import InvalidRequirement, Requirement

_WITHOUT_MEANING = ("-q", "--quiet", "-U", "--upgrade")
INSTALL_SECONDS = 3600
"""How long the workspace may take to install."""


class PipError(Exception):
    """What pip was asked for cannot be done; the message says why."""


def run(line: str, folder: str) -> None:
    """Do what follows `%pip`; relative paths start in `folder`, the notebook's in the workspace."""
    command, _, arguments = line.strip().partition(" ")
    match command:
        case "install":
            _install(arguments.strip(), folder)
        case "list" | "freeze":
            _list()
        case _:
            raise PipError(
                f"%pip {line.strip()}: the local workspace has %pip install, list and freeze."
            )


def _install(arguments: str, folder: str) -> None:
    words = [word for word in arguments.split() if word not in _WITHOUT_MEANING]
    if not words:
        raise PipError("You must give at least one requirement to install.")
    if all(map(_is_installed, words)):
        _say_satisfied(words)
        return
    installed = _ask(arguments, folder)
    # In front of what the task had, so that the newest is found first.
    sys.path.insert(0, installed["path"])
    paths = [installed["path"], os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    importlib.invalidate_caches()
    if installed["installed"]:
        print("Successfully installed", *installed["installed"])
    else:
        _say_satisfied(words)


def _ask(arguments: str, folder: str) -> dict[str, Any]:
    client = WorkspaceClient(config=Config(http_timeout_seconds=INSTALL_SECONDS))
    body = {"arguments": arguments, "folder": folder}
    try:
        answer = client.api_client.do("POST", "/api/local/libraries", body=body)
    except DatabricksError as error:
        raise PipError(str(error)) from None
    assert isinstance(answer, dict)
    return answer


def _is_installed(text: str) -> bool:
    try:
        requirement = Requirement(text.strip("\"'"))
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), True)
    except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
        return False


def _say_satisfied(words: list[str]) -> None:
    for text in words:
        print(f"Requirement already satisfied: {text}")


def _list() -> None:
    found = {d.name: d.version for d in reversed(list(importlib.metadata.distributions()))}
    for name in sorted(found, key=str.lower):
        print(f"{name}=={found[name]}")
