"""Serves a local workspace on the loopback interface until it is told to stop."""

from __future__ import annotations

import errno
import faulthandler
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from local_workspace.api.app import create_app
from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import LOOPBACK, StateDir, read_env_file
from local_workspace.workspace import Workspace

logger = logging.getLogger(__name__)

EVERY_ADDRESS = "0.0.0.0"
EXPOSED = (
    "The workspace is open to the network on %s. Nothing is encrypted: whoever reads the token on its way, or "
    "guesses a login link, runs code on this machine as you."
)
KEEP_ALIVE_SECONDS = 120
"""Longer than clients keep idle connections, so that none is closed under a request."""
SHUTDOWN_SECONDS = 2
"""For requests that are under way; what they wait for may itself wait for the end."""
END_SECONDS = 9.5
"""From the signal to the end, whatever hangs."""


def serve(state: StateDir, port: int, address: str = LOOPBACK) -> None:
    """Blocks until SIGINT or SIGTERM; raises LocalWorkspaceError when the state or the port is in use.

    With another `address` than the loopback interface's the workspace is open to the network, and says so.
    """
    state.create()
    with _locked(state), _bound(address, port) as listener:
        reached_at = LOOPBACK if address == EVERY_ADDRESS else address
        url = f"http://{reached_at}:{listener.getsockname()[1]}"
        workspace = Workspace(state, url)
        link = f"{url}/login?code={workspace.page_sessions.new_code()}"
        print(f"Local workspace on {url}, its pages once on {link}. Ctrl-C ends it.", flush=True)
        print(
            "Loading what tasks use takes a few seconds; a run that begins before waits for it.",
            flush=True,
        )
        if address != LOOPBACK:
            logger.warning(EXPOSED, address)
        config = uvicorn.Config(
            create_app(workspace, is_exposed=address != LOOPBACK),
            log_level=logging.WARNING,
            access_log=False,
            lifespan="on",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; if it takes too long, say where each thread is, and exit at once."""
        super().handle_exit(sig, frame)
        # A thread below Python's: it comes through also where the event loop hangs.
        faulthandler.dump_traceback_later(END_SECONDS, exit=True)


@contextmanager
def _locked(state: StateDir) -> Iterator[None]:
    """One workspace per state folder; the lock goes with the process, however it ends."""
    with state.lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            url = read_env_file(state.env_file).get("DATABRICKS_HOST", "an unknown address")
            raise LocalWorkspaceError(
                f"A local workspace already runs on {state.root} at {url}. "
                "Stop it, or set LOCAL_WORKSPACE_STATE to another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _bound(address: str, port: int) -> Iterator[socket.socket]:
    # The protocol is named, because asyncio turns Nagle's algorithm off only where it is.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise LocalWorkspaceError(f"{address} is no address of this machine.") from None
            if error.errno != errno.EADDRINUSE:
                raise
            raise LocalWorkspaceError(
                f"Port {port} is in use. Free it, or choose another with LOCAL_WORKSPACE_PORT."
            ) from None
        yield listener
