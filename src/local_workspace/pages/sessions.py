"""Who may see the pages: a one-time code, handed out over the API, becomes a cookie."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request


class PageSessions:
    """Codes and sessions live as long as the server; neither is the token."""

    def __init__(self, url: str) -> None:
        # Browsers send a cookie to all ports of a host.
        self.cookie = f"local_workspace_session_{urlsplit(url).port}"
        self._codes: set[str] = set()
        self._session = secrets.token_urlsafe(32)

    def new_code(self) -> str:
        code = secrets.token_urlsafe(24)
        self._codes.add(code)
        return code

    def redeem(self, code: str) -> str | None:
        """The cookie's value for a code that was not used before."""
        if code not in self._codes:
            return None
        self._codes.remove(code)
        return self._session

    def allows(self, request: Request) -> bool:
        sent = request.cookies.get(self.cookie, "")
        return hmac.compare_digest(sent.encode(), self._session.encode())
