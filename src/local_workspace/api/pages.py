"""The pages for people: what `run_page_url` opens. A one-time link logs in; the token is never in a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, RedirectResponse, Response

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import Unauthenticated
from local_workspace.pages.sessions import COOKIE

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


def home(workspace: Workspace, _: Params) -> Response:
    """Turns `/?o=1#job/7/run/8`, the form that the API gives out, into `/jobs/7/runs/8`."""
    return HTMLResponse(workspace.pages.home())


def login(workspace: Workspace, params: Params) -> Response:
    session = workspace.page_sessions.redeem(params.text("code", ""))
    if session is None:
        raise Unauthenticated(
            "This link was used before; `uv run local-workspace login` prints a new one."
        )
    answer = RedirectResponse("/jobs", 303)
    answer.set_cookie(COOKIE, session, httponly=True, samesite="strict")
    return answer


def jobs(workspace: Workspace, _: Params) -> Any:
    return HTMLResponse(workspace.pages.jobs())


def run(workspace: Workspace, params: Params) -> Any:
    return HTMLResponse(workspace.pages.run(params.required_integer("run_id")))


routes = [
    endpoint("GET", "/", home),
    endpoint("GET", "/login", login),
    endpoint("GET", "/jobs", jobs),
    endpoint("GET", "/jobs/{job_id}/runs/{run_id}", run),
]
