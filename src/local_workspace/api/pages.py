"""The pages for people: what `run_page_url` opens. A one-time link logs in; the token is never in a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, RedirectResponse, Response

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.errors import Unauthenticated
from local_workspace.sql.identifiers import quote

PREVIEW_ROWS = 100

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
    answer.set_cookie(workspace.page_sessions.cookie, session, httponly=True, samesite="strict")
    return answer


def runs(workspace: Workspace, params: Params) -> Response:
    """The latest runs, of one job or of all."""
    return HTMLResponse(workspace.pages.runs(params.integer("job_id")))


def run(workspace: Workspace, params: Params) -> Response:
    return HTMLResponse(workspace.pages.run(params.required_integer("run_id")))


def schema(workspace: Workspace, params: Params) -> Response:
    return HTMLResponse(workspace.pages.schema(params["catalog"], params["schema"]))


async def table(workspace: Workspace, params: Params) -> Response:
    """A table's columns and first rows, read as every query is."""
    parts = [params[part] for part in ("catalog", "schema", "table")]
    info = workspace.catalog.tables.get(".".join(parts))
    query = f"SELECT * FROM {'.'.join(map(quote, parts))} LIMIT {PREVIEW_ROWS}"
    rows = (await workspace.warehouse.execute(query, {}))[0].rows
    return HTMLResponse(workspace.pages.table(info, rows))


def volume(workspace: Workspace, params: Params) -> Response:
    full_name = ".".join(params[part] for part in ("catalog", "schema", "volume"))
    return HTMLResponse(workspace.pages.volume(workspace.volumes.get(full_name)))


_LOGIN = endpoint("GET", "/login", login)
assert _LOGIN.methods is not None
# Programs that preview a link ask for its head; that would use the code up.
_LOGIN.methods.discard("HEAD")

routes = [
    endpoint("GET", "/", home),
    _LOGIN,
    endpoint("GET", "/jobs", runs),
    endpoint("GET", "/jobs/{job_id}", runs),
    endpoint("GET", "/jobs/{job_id}/runs/{run_id}", run),
    endpoint("GET", "/explore/data/volumes/{catalog}/{schema}/{volume}", volume),
    endpoint("GET", "/explore/data/{catalog}/{schema}", schema),
    endpoint("GET", "/explore/data/{catalog}/{schema}/{table}", table),
]
