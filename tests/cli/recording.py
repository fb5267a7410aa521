"""What a client has sent and was answered, in a form that holds for every workspace and machine.

Ids have names: `{job_id.1}` is the first job id of the recording, `{job_id.1|int}` the same as a number. An answer is
reduced to its shape: keys, codes such as `SUCCESS`, ids, and of everything else the JSON type.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
TYPES = {str: "<string>", bool: "<boolean>", int: "<number>", float: "<number>"}


@dataclass
class Exchange:
    """One request and its answer; `polled`: it was sent again until it was answered so."""

    method: str
    url: str
    status: int
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Any = None
    answer: Any = None
    polled: bool = False

    def polls(self, before: Exchange) -> bool:
        """Whether it asks what was just asked."""
        asked = (before.method, before.url, before.body)
        return self.method == "GET" and asked == (self.method, self.url, self.body)


@dataclass
class Recorded:
    """One command and what it led to; `headers` are those of all its requests, but for their own (null: without)."""

    command: str
    headers: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)


def save(name: str, steps: list[Recorded]) -> None:
    """One line per exchange, so that a change shows as one."""
    blocks = []
    for step in steps:
        head = json.dumps({"command": step.command, "headers": step.headers})
        lines = [
            json.dumps({k: v for k, v in asdict(exchange).items() if v}, ensure_ascii=False)
            for exchange in step.exchanges
        ]
        blocks.append(f'{head[:-1]}, "exchanges": [\n ' + ",\n ".join(lines) + "\n]}")
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text("[" + ",\n".join(blocks) + "]\n")


def load(name: str) -> list[Recorded]:
    return [
        Recorded(step["command"], step["headers"], [Exchange(**each) for each in step["exchanges"]])
        for step in json.loads((RECORDED / f"{name}.json").read_text())
    ]


def body_of(content: bytes, content_type: str) -> Any:
    """JSON as it is, text as {"text": ...}, anything else as {"base64": ...}; None where there is nothing."""
    if not content:
        return None
    if content_type.startswith("application/json"):
        return json.loads(content)
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
