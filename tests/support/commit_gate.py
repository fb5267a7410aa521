"""A gate between the Spark engine and its catalog, which sees each commit before it is ratified."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_workspace.errors import InvalidState

OnCommit = Callable[[], Awaitable[bool]]
"""Called when a commit arrives; what it returns is whether the catalog gets it."""


async def let_pass() -> bool:
    return True


class CommitGate:
    """An application around the catalog's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.on_commit: OnCommit = let_pass

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith("/delta/preview/commits") or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()

        async def receive_again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        if "commit_info" not in json.loads(body) or await self.on_commit():
            await self._app(scope, receive_again, send)
        else:
            refusal = InvalidState("The gate lets no commit pass.")
            await JSONResponse(refusal.body(), refusal.status)(scope, receive_again, send)
