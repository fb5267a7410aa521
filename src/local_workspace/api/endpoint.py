"""From HTTP to a plain function and back: one place that reads parameters and writes JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_workspace.errors import InvalidParameterValue, MalformedRequest, RequestTooLarge

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

MAX_JSON_BODY = 10 * 1024 * 1024
"""Databricks' limit for a request body (docs: Jobs API)."""


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
        if value == "":
            return default
        try:
            if isinstance(value, bool | float):
                raise ValueError
            number = int(value)
        except (TypeError, ValueError):
            raise InvalidParameterValue(f"{name} must be an integer, got {value!r}.") from None
        if not -(2**63) <= number < 2**63:
            raise InvalidParameterValue(f"{name} is out of range: {number}.")
        return number

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
        if value is not None and not isinstance(value, str):
            raise MalformedRequest(_expected(name, "string", value))
        return value

    def required_text(self, name: str) -> str:
        self.required(name)
        value = self.text(name)
        if not value:
            raise InvalidParameterValue(f"Missing required field: {name}")
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self._values.get(name, default)
        if isinstance(value, str) and value.lower() in ("true", "false", ""):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise InvalidParameterValue(f"{name} must be true or false, got {value!r}.")
        return value

    def object(self, name: str) -> dict[str, Any]:
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise MalformedRequest(_expected(name, "object", value))
        return value

    def array(self, name: str) -> list[Any]:
        value = self._values.get(name, [])
        if not isinstance(value, list):
            raise MalformedRequest(_expected(name, "array", value))
        return value


def _expected(name: str, expected: str, value: Any) -> str:
    found = {str: "STRING", dict: "OBJECT", list: "ARRAY", bool: "BOOLEAN"}.get(
        type(value), "NUMBER"
    )
    return f"Could not parse request object: Expected {expected} for field '{name}', found {found}"


Handler = Callable[["Workspace", Params], Any]
"""Takes the workspace and the call's parameters, answers with a JSON object or a Response; may be async."""


def endpoint(method: str, path: str, handler: Handler) -> Route:
    """A route that hands `handler` the call's parameters and sends what it returns as JSON (`{}` for None)."""

    async def serve(request: Request) -> Response:
        answer = handler(request.app.state.workspace, await _read_params(request))
        if inspect.isawaitable(answer):
            answer = await answer
        return answer if isinstance(answer, Response) else JSONResponse(answer or {})

    return Route(path, serve, methods=[method], name=f"{method} {path}")


async def _read_params(request: Request) -> Params:
    body = await read_body(request, MAX_JSON_BODY)
    values: dict[str, Any] = {}
    if body.strip():
        try:
            values = json.loads(body)
        except ValueError as error:
            raise MalformedRequest(f"Request body is not valid JSON: {error}") from None
        if not isinstance(values, dict):
            raise MalformedRequest(_expected("body", "object", values))
    return Params({**values, **dict(request.query_params), **request.path_params})


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; RequestTooLarge as soon as it exceeds `limit` bytes, without reading on."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RequestTooLarge(f"The request body exceeds the limit of {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


RawHandler = Callable[[Request], Awaitable[Response]]
"""For bodies that are not JSON: file uploads and downloads."""
