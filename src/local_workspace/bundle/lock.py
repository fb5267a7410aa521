"""The deployment lock, in the form of the Databricks CLI, so that the two exclude each other.

Beyond the CLI's fields it names the process that holds it: a lock of a process of this machine that has died is void.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
from databricks.sdk.errors import NotFound, ResourceConflict

from local_workspace.bundle.errors import DeploymentLocked
from local_workspace.bundle.remote import RemoteFolder

LOCK_FILE = "deploy.lock"


@contextmanager
def deployment_lock(state: RemoteFolder, settings: dict[str, Any], user: str) -> Iterator[None]:
    """Hold the lock of the deployment whose state is in `state`; DeploymentLocked if another one has it.

    `settings` are `bundle.deployment.lock`: `enabled` (default true) and `force`.
    """
    if not settings.get("enabled", True):
        state.make()
        yield
        return
    identity = str(uuid.uuid4())
    _acquire(state, _content(identity, user, forced=settings.get("force", False)))
    try:
        yield
    finally:
        held = state.read_json(LOCK_FILE)
        if held is not None and held.get("ID") == identity:
            state.delete(LOCK_FILE)


def _acquire(state: RemoteFolder, content: dict[str, Any]) -> None:
    held = state.read_json(LOCK_FILE)
    if held is not None and (content["IsForced"] or _is_void(held)):
        state.delete(LOCK_FILE)
    try:
        _write(state, content)
    except ResourceConflict:
        held = state.read_json(LOCK_FILE) or {}
        raise DeploymentLocked(
            f"{state.at(LOCK_FILE)}: {held.get('User', 'somebody')} has been deploying this target since "
            f"{held.get('AcquisitionTime', 'just now')}. Wait for it; if it has died, deploy with --force-lock."
        ) from None


def _write(state: RemoteFolder, content: dict[str, Any]) -> None:
    try:
        state.write_json(LOCK_FILE, content, overwrite=False)
    except NotFound:
        state.make()
        state.write_json(LOCK_FILE, content, overwrite=False)


def _content(identity: str, user: str, *, forced: bool) -> dict[str, Any]:
    process = psutil.Process()
    return {
        "ID": identity,
        "AcquisitionTime": datetime.now(UTC).isoformat(),
        "IsForced": forced,
        "User": user,
        "Host": socket.gethostname(),
        "Process": process.pid,
        "ProcessStarted": process.create_time(),
    }


def _is_void(held: dict[str, Any]) -> bool:
    if held.get("Host") != socket.gethostname():
        return False
    try:
        started = psutil.Process(held["Process"]).create_time()
    except psutil.NoSuchProcess:
        return True
    return bool(started != held["ProcessStarted"])
