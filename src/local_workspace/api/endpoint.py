"""From HTTP to a plain function and back: one place that reads parameters and writes JSON."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, overload

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from local_workspace.errors import InvalidParameterValue, MalformedRequest, RequestTooLarge
from local_workspace.models import json_types

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

MAX_JSON_BODY = 10 * 1024 * 1024
"""Databricks' limit for a request body (docs: Jobs API)."""

MAX_DEPTH = 100
"""Far more than any of the API's types, far less than what writing JSON can bear."""


class Params(Mapping[str, Any]):
    """The parameters of one call: path, query and JSON body as one mapping.

    Clients differ in where they put a parameter and in its type: Airflow sends numbers as strings, booleans as
    `True`, and GET parameters in a JSON body. An absent key, null and (for numbers) an empty string mean the same.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def required(self, name: str) -> Any:
        """The value; InvalidParameterValue where it is missing."""
        if name not in self._values:
            raise InvalidParameterValue(f"Missing required field: {name}")
        return self._values[name]

    @overload
    def integer(self, name: str) -> int | None: ...
    @overload
    def integer(self, name: str, default: int) -> int: ...
    def integer(self, name: str, default: int | None = None) -> int | None:
        value = self._values.get(name, "")
        return default if value == "" else json_types.integer(value, name)

    def required_integer(self, name: str) -> int:
        self.required(name)
        number = self.integer(name)
        if number is None:
            raise InvalidParameterValue(f"Missing required field: {name}")
        return number

    @overload
    def text(self, name: str) -> str | None: ...
    @overload
    def text(self, name: str, default: str) -> str: ...
    def text(self, name: str, default: str | None = None) -> str | None:
        value = self._values.get(name, default)
        return value if value is None else json_types.text(value, name)

    def required_text(self, name: str) -> str:
        self.required(name)
        value = self.text(name)
        if not value:
            raise InvalidParameterValue(f"Missing required field: {name}")
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self._values.get(name, "")
        return default if value == "" else json_types.boolean(value, name)

    def enum[EnumType: Enum](self, name: str, values: type[EnumType]) -> EnumType:
        """One of `values`, in any case."""
        text = self.required_text(name)
        try:
            return values(text.upper())
        except ValueError:
            known = ", ".join(value.value for value in values)
            raise InvalidParameterValue(f"{name} '{text}' is not one of {known}.") from None

    def object(self, name: str) -> dict[str, Any]:
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise json_types.wrong_kind(name, "object", value)
        return value

    def array(self, name: str) -> list[Any]:
        value = self._values.get(name, [])
        if not isinstance(value, list):
            raise json_types.wrong_kind(name, "array", value)
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """An array of objects."""
        values = self.array(name)
        for value in values:
            if not isinstance(value, dict):
                raise json_types.wrong_kind(name, "object", value)
        return values


Handler = Callable[["Workspace", Params], Any]
"""Takes the workspace and the call's parameters, answers with a JSON object or a Response; may be async."""


RawHandler = Callable[[Request], Awaitable[Response]]
"""For bodies that are not JSON: file uploads and downloads."""


def endpoint(method: str, path: str, handler: Handler, max_body: int = MAX_JSON_BODY) -> Route:
    """A route that hands `handler` the call's parameters and sends what it returns as JSON (`{}` for None)."""

    async def serve(request: Request) -> Response:
        answer = handler(request.app.state.workspace, await read_params(request))
        return _response(await answer if inspect.isawaitable(answer) else answer)

    return raw_endpoint(method, path, serve, max_body)


def file_endpoint(method: str, path: str, handler: Handler) -> Route:
    """As `endpoint`, for a handler that waits for files: it runs in a thread, and other requests go on."""

    async def serve(request: Request) -> Response:
        params = await read_params(request)
        # JSON for a folder of many files takes a while, too.
        return await asyncio.to_thread(
            lambda: _response(handler(request.app.state.workspace, params))
        )

    return raw_endpoint(method, path, serve, MAX_JSON_BODY)


def _response(answer: Any) -> Response:
    return answer if isinstance(answer, Response) else JSONResponse(answer or {})


def raw_endpoint(method: str, path: str, handler: RawHandler, max_body: int) -> Route:
    """A route that hands `handler` the request, whose body has at most `max_body` bytes."""

    async def serve(request: Request) -> Response:
        return await handler(limited(request, max_body))

    return Route(path, serve, methods=[method], name=f"{method} {path}")


def limited(request: Request, limit: int) -> Request:
    """The same request; RequestTooLarge as soon as its body exceeds `limit` bytes, without reading on."""
    too_large = RequestTooLarge(f"The request body exceeds the limit of {limit} bytes.")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    left = limit

    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise too_large
        return message

    return Request(request.scope, receive)


async def read_params(request: Request) -> Params:
    """Path, query and JSON body as one."""
    body = await request.body()
    values = parse_json(body) if body.strip() else {}
    if not isinstance(values, dict):
        raise json_types.wrong_kind("body", "object", values)
    return Params({**values, **dict(request.query_params), **request.path_params})


def parse_json(body: bytes) -> Any:
    """What the body says; MalformedRequest where it is not JSON that can be stored and sent back."""
    try:
        text = body.decode()
        values = json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
        # A lone surrogate can be escaped in JSON, but neither be stored nor be sent.
        if "\\u" in text:
            json.dumps(values, ensure_ascii=False).encode()
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(values)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"Request body is not valid JSON: {error}") from None
    return values


def _check_depth(values: Any) -> None:
    level = [values]
    for _ in range(MAX_DEPTH):
        containers = [value for value in level if isinstance(value, dict | list)]
        level = [
            item
            for value in containers
            for item in (value.values() if isinstance(value, dict) else value)
        ]
    if level:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse_number(text)


def _refuse_number(text: str) -> float:
    raise ValueError(f"the number {text} cannot be represented")
