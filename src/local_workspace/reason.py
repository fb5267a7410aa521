"""The line of an exception's text that says what happened."""

from __future__ import annotations

import re

_RPC = re.compile(
    r'of RPC that terminated with:\n\tstatus = StatusCode\.(?P<status>\w+)\n\tdetails = "(?P<details>.*?)"\n\t\w+ = "',
    re.DOTALL,
)


def reason(text: str) -> str:
    """Return the first line; of a gRPC error, whose own says nothing, that of its details."""
    if failed := _RPC.search(text):
        text = failed["details"] or f"gRPC status {failed['status']}"
    return text.strip().partition("\n")[0]
