"""JSON over HTTP to the two servers that the launcher starts. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Dict, Optional

# The servers are on this machine: a proxy that the environment names is not asked.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerError(Exception):
    """The server answered with an error, or not at all (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def call(method: str, url: str, token: str = "", body: Optional[Dict[str, Any]] = None) -> Any:
    """The JSON answer; ServerError for any other status than 2xx."""
    request = urllib.request.Request(url, method=method)
    request.add_header("Accept", "application/json")
    data = None
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        data = json.dumps(body).encode()
    try:
        with _OPENER.open(request, data, timeout=120) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")[:500]
        raise ServerError(error.code, f"{method} {url}: {error.code} {text}") from None
    except OSError as error:
        raise ServerError(0, f"{method} {url}: {error}") from None
