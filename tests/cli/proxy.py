"""Stands between a client and the workspace, and keeps what goes through."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import requests
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HOP_BY_HOP = frozenset(
    {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
)


@dataclass(frozen=True)
class Seen:
    """One request with its answer, as they were on the wire."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes
    answer_type: str


class Proxy:
    """An application that hands every request on to `target`, one at a time, so that their order is known."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._turn = asyncio.Lock()
        self._seen: list[Seen] = []

    def taken(self) -> list[Seen]:
        """What was seen since the last time."""
        seen, self._seen = self._seen, []
        return seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        url = scope["raw_path"].decode()
        if scope["query_string"]:
            url += "?" + scope["query_string"].decode()
        sent = (request.method, url, dict(request.headers), await request.body())
        async with self._turn:
            answer = await run_in_threadpool(self._forward, *sent)
            kind = answer.headers.get("Content-Type", "")
            self._seen.append(Seen(*sent, answer.status_code, answer.content, kind))
        await Response(answer.content, answer.status_code, _end_to_end(answer.headers))(
            scope, receive, send
        )

    def _forward(
        self, method: str, url: str, headers: dict[str, str], body: bytes
    ) -> requests.Response:
        return requests.request(
            method,
            self._target + url,
            headers=_end_to_end({**headers, "accept-encoding": "identity"}),
            data=body,
            allow_redirects=False,
            timeout=120,
        )


def _end_to_end(
    headers: dict[str, str] | requests.structures.CaseInsensitiveDict[str],
) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
