"""The ASGI application: all routes, the token check and Databricks' error shape."""

from __future__ import annotations

import hmac
import importlib
import ipaddress
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_workspace.api.local import FaultInjection
from local_workspace.api.statement_results import LINKS
from local_workspace.api.volume_files import NO_UPLOAD
from local_workspace.errors import ApiError, EndpointNotFound, PermissionDenied, Unauthenticated
from local_workspace.settings import LOOPBACK, WORKSPACE_ID

if TYPE_CHECKING:
    from local_workspace.pages.sessions import PageSessions
    from local_workspace.workspace import Workspace

logger = logging.getLogger(__name__)

API_MODULES = (
    "identity",
    "jobs",
    "runs",
    "workspace_files",
    "volume_files",
    "unity_catalog",
    "grants",
    "copies",
    "permissions",
    "secrets",
    "secret_acls",
    "sql",
    "queries",
    "compute",
    "local",
    "runtime",
    "pages",
)
"""Each has `routes`, in the order in which they are tried."""

PUBLIC_PATHS = frozenset({"/", "/.well-known/databricks-config", "/login", NO_UPLOAD})
"""Asked for before a client has credentials, or without them; they tell nothing secret."""

SIGNED_PATHS = f"{LINKS}/"
"""Need no token, because their query has a signature of their own."""

PAGE_PATHS = ("/jobs", "/explore")
"""What a page session may read; the API, and every change, takes the token alone."""

NO_CREDENTIAL = "Credential was not sent or was of an unsupported type for this API."
LOG_IN = "Log in once to open this page: `uv run local-workspace login` prints the link."

HOME_SCRIPT = "sha256-tUA408Hw7lndRePDl51ifY2rfDbR8O6MPlnVYQDh0/Q="
"""The only script of the pages, in `home.html`."""
PAGE_POLICY = (
    f"default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src '{HOME_SCRIPT}'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP"""

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")
"""A Host header: a name or an address, and a port (RFC 9110, 7.2)."""

HOSTS = frozenset({"127.0.0.1", "localhost"})
"""Another name in the Host header is a page of the web that had its name rebound to this machine."""


def create_app(workspace: Workspace, *, is_exposed: bool = False) -> Starlette:
    """All routes; an exposed workspace is asked for by any address that this machine has."""
    guard = Middleware(TokenRequired, token=workspace.token, is_exposed=is_exposed)
    app = Starlette(
        routes=list(_routes()),
        middleware=[guard, Middleware(FaultInjection)],
        lifespan=_lifespan,
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _bug},
    )
    app.state.workspace = workspace
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    workspace: Workspace = app.state.workspace
    await workspace.start()
    yield
    await workspace.stop()


def _routes() -> Iterator[BaseRoute]:
    for name in API_MODULES:
        yield from importlib.import_module(f"local_workspace.api.{name}").routes


class TokenRequired:
    """Refuses what is for another host, or has neither token nor page session; adds the workspace's id."""

    def __init__(self, app: ASGIApp, token: str, is_exposed: bool) -> None:
        self._app = app
        self._token = token.encode()
        self._is_exposed = is_exposed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        host = request.headers.get("host", LOOPBACK)
        if not self._is_this_host(host):
            refused = PermissionDenied(f"The Host header names {host!r}, not this machine.")
            await JSONResponse(refused.body(), refused.status)(scope, receive, send)
            return
        if not self._is_allowed(request):
            is_page = scope["path"].startswith(PAGE_PATHS)
            error = Unauthenticated(LOG_IN if is_page else NO_CREDENTIAL)
            await JSONResponse(error.body(), error.status)(scope, receive, send)
            return

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Databricks-Org-Id"] = str(WORKSPACE_ID)
                headers["X-Content-Type-Options"] = "nosniff"
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Content-Security-Policy"] = PAGE_POLICY
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _is_this_host(self, header: str) -> bool:
        host = _HOST.fullmatch(header)
        if host is None:
            return False
        # Names can be rebound, addresses cannot.
        name = host["name"].strip("[]").lower()
        return name in HOSTS or (self._is_exposed and _is_address(name))

    def _is_allowed(self, request: Request) -> bool:
        path: str = request.scope["path"]
        if path in PUBLIC_PATHS or path.startswith(SIGNED_PATHS):
            return True
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), self._token):
            return True
        sessions: PageSessions = request.app.state.workspace.page_sessions
        is_page = request.method in ("GET", "HEAD") and path.startswith(PAGE_PATHS)
        return is_page and sessions.allows(request)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        missing = EndpointNotFound(
            f"The local workspace has no endpoint {request.method} {request.url.path}."
        )
        return JSONResponse(missing.body(), missing.status)
    return JSONResponse({"error_code": "BAD_REQUEST", "message": error.detail}, error.status_code)


async def _bug(request: Request, error: Exception) -> Response:
    """A defect of ours: the traceback goes to the log, never into an answer."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    body = {"error_code": "INTERNAL_ERROR", "message": "The local workspace failed; see its log."}
    return JSONResponse(body, 500)
