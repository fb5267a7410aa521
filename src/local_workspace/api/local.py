"""The local workspace's own routes: what Databricks does not have, under `/api/local`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.execution.faults import FAULTS, Fault
from local_workspace.models import json_types

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


def status(workspace: Workspace, _: Params) -> dict[str, Any]:
    return {"host": workspace.url, "spark_remote": workspace.engine.remote}


def add_fault(workspace: Workspace, params: Params) -> None:
    fault = Fault(
        times=params.integer("times", 1),
        task=params.text("task", ""),
        endpoint=params.text("endpoint", ""),
        status=params.integer("status", 0),
        error_code=params.text("error_code", ""),
        delay_seconds=json_types.real(params.get("delay_seconds", 0), "delay_seconds"),
        drop=params.boolean("drop"),
    )
    fault.message = params.text("message", fault.message)
    workspace.faults.add(fault)


def list_faults(workspace: Workspace, _: Params) -> dict[str, Any]:
    return {"faults": [fault.as_json() for fault in workspace.faults]}


def clear_faults(workspace: Workspace, _: Params) -> None:
    workspace.faults.clear()


def login_code(workspace: Workspace, _: Params) -> dict[str, str]:
    return {"code": workspace.page_sessions.new_code()}


class FaultInjection:
    """Answers badly where a fault is set for the path, before or (`drop`) after the request was carried out.

    With `drop` and no `status` the connection ends before the answer does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        faults = None if scope["type"] != "http" else scope["app"].state.workspace.faults
        fault = faults.for_endpoint(scope["path"]) if faults else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay_seconds)
        if fault.drop:
            await self._app(scope, receive, _discard)
        if fault.drop and not fault.status:
            await _hang_up(send)
        elif fault.status:
            body = {
                "error_code": fault.error_code or _CODES.get(fault.status, "INTERNAL_ERROR"),
                "message": fault.message,
            }
            headers = {"Retry-After": "1"} if fault.status in (429, 503) else {}
            await JSONResponse(body, fault.status, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    499: "CANCELLED",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


async def _discard(_: Any) -> None:
    """The answer gets lost, although the request took effect."""


async def _hang_up(send: Send) -> None:
    """The server closes a connection whose answer is not complete."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


routes = [
    endpoint("GET", "/api/local/status", status),
    endpoint("POST", FAULTS, add_fault),
    endpoint("GET", FAULTS, list_faults),
    endpoint("DELETE", FAULTS, clear_faults),
    endpoint("POST", "/api/local/login-codes", login_code),
]
