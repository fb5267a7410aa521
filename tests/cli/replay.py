"""Sends recorded requests to another workspace, and says how its answers differ from the recorded ones."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from cli.recording import TYPES, Exchange, Recorded, body_of
from support.waiting import wait_until

_NAME = re.compile(r"\{([\w.]+)(\|int)?\}")


class Replay:
    """One recording's way through a workspace: `{job_id.1}` is known once an answer has shown it."""

    def __init__(self, host: str, token: str, machine: Mapping[str, str]) -> None:
        self._host = host
        self._session = requests.Session()
        self._session.headers.update({"Authorization": f"Bearer {token}"})
        self._values: dict[str, Any] = dict(machine)

    def run(self, step: Recorded) -> None:
        """AssertionError with the command and the request whose answer is not the recorded one."""
        for exchange in step.exchanges:
            self._send(step, exchange)

    def _send(self, step: Recorded, exchange: Exchange) -> None:
        request = f"databricks {step.command}: {exchange.method} {exchange.url}"
        differences = self._differences(step, exchange)
        if differences and exchange.polled:
            wanted = f"the recorded answer to {request}, which is at first another: {differences}"
            wait_until(lambda: not self._differences(step, exchange), wanted)
        else:
            assert not differences, f"{request}: {differences}"

    def _differences(self, step: Recorded, exchange: Exchange) -> list[str]:
        headers = {**dict.fromkeys(("User-Agent", "Accept")), **step.headers, **exchange.headers}
        answer = self._session.request(
            exchange.method,
            self._host + self._filled(exchange.url),
            headers=self._filled(headers),
            data=self._content(exchange.body, headers),
        )
        if answer.status_code != exchange.status:
            return [f"status {answer.status_code}, recorded {exchange.status}: {answer.text}"]
        if exchange.answer is None:
            return []
        found = body_of(answer.content, answer.headers.get("Content-Type", ""))
        self._learn(exchange.answer, found)
        return list(self._compare(exchange.answer, found, "answer"))

    def _content(self, body: Any, headers: Mapping[str, str | None]) -> bytes | None:
        if body is None:
            return None
        body = self._filled(body)
        if headers.get("Content-Type") == "application/json":
            return json.dumps(body).encode()
        return body["text"].encode() if "text" in body else base64.b64decode(body["base64"])

    def _filled(self, value: Any) -> Any:
        """The value with ids for names; one that no answer has shown is the client's own, and is made here."""
        if isinstance(value, dict):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if not isinstance(value, str):
            return value
        whole = _NAME.fullmatch(value)
        if whole and whole[2]:
            return int(self._value(whole[1]))
        return _NAME.sub(lambda found: str(self._value(found[1])), value)

    def _value(self, name: str) -> Any:
        if name.startswith("uuid."):
            self._values.setdefault(name, str(uuid.uuid4()))
        return self._values.get(name, f"{{{name}}}")

    def _learn(self, recorded: Any, found: Any) -> None:
        """Take the values of the names that have none yet."""
        if isinstance(recorded, dict) and isinstance(found, dict):
            for key in recorded.keys() & found.keys():
                self._learn(recorded[key], found[key])
        elif isinstance(recorded, list) and isinstance(found, list):
            for one, other in zip(recorded, found, strict=False):
                self._learn(one, other)
        elif isinstance(recorded, str):
            name = _NAME.fullmatch(recorded)
            if name and isinstance(found, int if name[2] else str):
                self._values.setdefault(name[1], found)

    def _compare(self, recorded: Any, found: Any, where: str) -> Iterator[str]:
        """Where `found` has not what `recorded` has; further keys are no difference."""
        if isinstance(recorded, dict) and isinstance(found, dict):
            for key, value in recorded.items():
                if key in found:
                    yield from self._compare(value, found[key], f"{where}.{key}")
                else:
                    yield f"{where}.{key} is missing"
        elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
            for index, (one, other) in enumerate(zip(recorded, found, strict=True)):
                yield from self._compare(one, other, f"{where}[{index}]")
        elif found != self._filled(recorded) and TYPES.get(type(found), found) != recorded:
            yield f"{where} is {found!r}, recorded {self._filled(recorded)!r}"
