"""Makes a recording of what went through the proxy: ids get names, and the answers are reduced to their shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cli.commands import Step
from cli.proxy import Seen
from cli.recording import TYPES, Exchange, Recorded, body_of

CLIENT_HEADERS = ("User-Agent", "Accept", "Content-Type", "X-Databricks-Workspace-Id")
TELEMETRY = "/telemetry-ext"
BEFORE_EACH_COMMAND = ("/.well-known/databricks-config", "/api/2.0/preview/scim/v2/Me")
"""Recorded once per scenario."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMERIC_ID = re.compile(r"\d{6,}")
_MOMENT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_CODE = re.compile(r"[A-Z][A-Z0-9_]+")
_NAMED = re.compile(r"\{[\w.]+(?:\|int)?\}")

MAX_TEXT = 1000
"""Characters of an answer that is not JSON; of a longer one only the status is recorded."""
ANY_MOMENT = "2026-01-01T00:00:00Z"


def recorded(steps: list[tuple[Step, list[Seen]]], names: Names) -> list[Recorded]:
    """What was seen, with names for the ids; commands that ran at once come in any order and are left out."""
    found = []
    known: set[str] = {TELEMETRY}
    for step, all_seen in steps:
        exchanges: list[Exchange] = []
        for seen in all_seen:
            if seen.url in known:
                continue
            known |= {seen.url} & set(BEFORE_EACH_COMMAND)
            exchange = exchange_of(seen, names)
            if exchanges and exchange.polls(exchanges[-1]):
                exchanges.pop()
                exchange.polled = True
            exchanges.append(exchange)
        if step.at_once == 1 and exchanges:
            found.append(with_common_headers(names.in_text(step.command), exchanges))
    return found


def exchange_of(seen: Seen, names: Names) -> Exchange:
    sent = {name: seen.headers.get(name.lower()) for name in CLIENT_HEADERS}
    answer = body_of(seen.answer, seen.answer_type)
    is_json = seen.answer_type.startswith("application/json")
    if is_json:
        names.learn(answer)
    named = names.in_json(answer)
    is_short = len(seen.answer) <= MAX_TEXT
    return Exchange(
        method=seen.method,
        url=names.in_text(seen.url),
        headers=names.in_json(sent),
        status=seen.status,
        body=names.in_json(body_of(seen.body, seen.headers.get("content-type", ""))),
        answer=shape(named) if is_json else named if is_short else None,
    )


def with_common_headers(command: str, exchanges: list[Exchange]) -> Recorded:
    """The last request's headers are common to all; the others keep those that differ."""
    common = dict(exchanges[-1].headers)
    for exchange in exchanges:
        differing = {
            name: exchange.headers.get(name)
            for name in CLIENT_HEADERS
            if exchange.headers.get(name) != common.get(name)
        }
        exchange.headers = differing
    return Recorded(command, {k: v for k, v in common.items() if v}, exchanges)


class Names:
    """The names of a recording's ids, and of what differs from one machine to the next."""

    def __init__(self, machine: Mapping[str, str]) -> None:
        self._names = {text: f"{{{name}}}" for name, text in machine.items()}
        self._count: dict[str, int] = {}

    def learn(self, value: Any, key: str = "id") -> None:
        """Give a name to each id of an answer."""
        if isinstance(value, dict):
            for name, item in value.items():
                self.learn(item, name)
        elif isinstance(value, list):
            for item in value:
                self.learn(item, key)
        elif key.endswith("id") and (
            _NUMERIC_ID.fullmatch(str(value)) or _UUID.fullmatch(str(value))
        ):
            self._name(str(value), key)

    def in_text(self, text: str) -> str:
        """The text with names instead of ids; a UUID that nobody has answered is one of the client's."""
        for uuid in _UUID.findall(text):
            self._name(uuid, "uuid")
        text = _MOMENT.sub(ANY_MOMENT, text)
        for value, name in self._names.items():
            text = re.sub(rf"(?<!\d){re.escape(value)}(?!\d)", name, text)
        return text

    def in_json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.in_json(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.in_json(item) for item in value]
        if isinstance(value, str):
            return self.in_text(value)
        name = self._names.get(str(value))
        return f"{name[:-1]}|int}}" if name else value

    def _name(self, value: str, key: str) -> None:
        if value not in self._names:
            self._count[key] = self._count.get(key, 0) + 1
            self._names[value] = f"{{{key}.{self._count[key]}}}"


def shape(value: Any) -> Any:
    """The named value without what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, str) and (_CODE.fullmatch(value) or _NAMED.search(value)):
        return value
    return TYPES.get(type(value))
