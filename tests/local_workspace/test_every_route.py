"""What holds for each route, those to come included: the token, the Host header, body limits, hostile paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from asgi import Answer
from every_route import Target, every_route, field_names, routes

from local_workspace.api.app import PUBLIC_PATHS, SIGNED_PATHS
from local_workspace.errors import ApiError

MIB = 1024 * 1024
CANARY = "canary-in-a-file-outside"
VOLUME = "/Volumes/main/s/v"

LINKS = ("/Workspace/Shared/link", f"{VOLUME}/link")
ESCAPES = [
    *["..", "/..", "../../outside/secret", "/../../outside/secret", "%2e%2e/%2e%2e/outside/secret"],
    *["file:///etc/passwd", "dbfs:/../../etc/passwd", "~/x", "\0"],
    *["/Workspace/../../outside/secret", "/Workspace/Shared/../../../../outside/secret"],
    *["/Workspace/Shared/..", "/Workspace/./Shared/../../workspace.env"],
    *["/Workspace/Shared/link", "/Workspace/Shared/link/secret", "/Workspace/Shared/link/new"],
    *["/Volumes/main/../../../../outside/secret", f"{VOLUME}/../../../../../../outside/secret"],
    *[f"{VOLUME}/../../../../../workspace.env", f"{VOLUME}/../../w", f"{VOLUME}/."],
    *[f"{VOLUME}/link", f"{VOLUME}/link/secret", f"{VOLUME}/link/new", f"{VOLUME}/a\0b"],
    *["/Workspace/Shared/a\0b", f"/Workspace/{'n' * 300}", f"{VOLUME}/{'é' * 200}"],
    *[f"{VOLUME}{'/d' * 2000}", f"/{'d/' * 2000}"],
]
"""Refused by every route for files, except that a link can be deleted."""
ODD_NAMES = [
    *["/etc/passwd", "$HOME", "..\\..\\outside\\secret", "..%2f..%2foutside%2fsecret"],
    *["/Workspace/Shared/\uff0e\uff0e/x", f"{VOLUME}/%252e%252e/x", "/Workspace/Shared/a\u202eb"],
    *["main.s.`../v`", "main.s.v/../..", "s`.`../x"],
]
"""Names of files as good as any for some routes, but never a way out."""
UPLOADS = ("/api/2.0/fs/files", "/api/2.0/workspace-files/import-file")
VOLUME_ROUTES = ("/api/2.0/fs/",)
FILE_ROUTES = ("/api/2.0/workspace/", "/api/2.0/workspace-files/", *VOLUME_ROUTES)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    root = tmp_path_factory.mktemp("machine")
    (root / "outside").mkdir()
    (root / "outside" / "secret").write_text(CANARY)
    with every_route(root / "state") as target:
        workspace = target.workspace
        workspace.catalog.create_schema("main", "s")
        workspace.volumes.create("main", "s", "v")
        for link in LINKS:
            place_link(target, link)
        yield target


def place_link(target: Target, path: str) -> None:
    """A link that leads out of the mounts."""
    state = target.workspace.state
    (state.mounts / path[1:]).symlink_to(state.root.parent / "outside")


def is_removed(target: Target, path: str) -> bool:
    return path in LINKS and not (target.workspace.state.mounts / path[1:]).is_symlink()


def concrete(template: str, value: str = "1") -> str:
    return re.sub(r"\{[^}]*\}", lambda _: value, template)


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error_code"]


def test_every_route_needs_the_token(target: Target) -> None:
    for method, route in routes():
        if method == "HEAD" or route.path in PUBLIC_PATHS or route.path.startswith(SIGNED_PATHS):
            continue
        for token in ("", "dapi-wrong", target.workspace.token[:-1], f"{target.workspace.token}x"):
            answer = target.send(method, concrete(route.path), token=token)
            assert refusal(answer) == (401, "UNAUTHENTICATED"), (method, route.path)


def test_every_route_is_for_this_host_alone(target: Target) -> None:
    for method, route in routes():
        if method != "HEAD":
            answer = target.send(method, concrete(route.path), headers={"host": "evil.example"})
            assert refusal(answer) == (403, "PERMISSION_DENIED"), (method, route.path)


def test_every_route_refuses_a_body_that_is_too_large(target: Target) -> None:
    """By what the header says, without reading any of it."""

    def unread() -> Iterator[bytes]:
        raise AssertionError("The body was read.")
        yield b""

    for method, route in routes():
        if method == "HEAD":
            continue
        headers = {"content-length": str(6 * 1024**3), "content-type": "application/json"}
        answer = target.send(method, concrete(route.path), headers=headers, body=unread())
        assert refusal(answer) == (413, "REQUEST_TOO_LARGE"), (method, route.path)


def test_every_route_stops_reading_a_body_that_has_no_end(target: Target) -> None:
    """One that is sent in chunks, without its length; uploads have the limit of a file."""
    for method, route in routes():
        if method == "HEAD" or route.path.startswith(UPLOADS):
            continue
        taken = 0

        def endless() -> Iterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield bytes(MIB)

        answer = target.send(method, concrete(route.path), body=endless())
        if taken:
            assert refusal(answer) == (413, "REQUEST_TOO_LARGE"), (method, route.path)
        assert taken <= 33, (method, route.path)


@pytest.mark.parametrize("hostile", [*ESCAPES, *ODD_NAMES])
def test_no_path_leads_out_of_the_workspace(target: Target, hostile: str) -> None:
    """In the URL and in every field that is a path or a name."""
    before = snapshot(target)
    for method, template in newest_routes():
        for safe in ("", "/") if "{path:path}" in template else ("",):
            path = concrete(template, quote(hostile, safe=safe))
            answer = target.send(method, path, **carrying(method, hostile))
            assert answer.status < 500, (method, path, answer)
            assert CANARY.encode() not in answer.body, (method, path)
            assert target.workspace.token.encode() not in answer.body, (method, path)
            if is_removed(target, hostile):
                # The link itself was deleted, and nothing behind it.
                assert method == "DELETE" or template == "/api/2.0/workspace/delete"
                place_link(target, hostile)
            elif hostile in ESCAPES and template.startswith(routes_for(hostile)):
                assert answer.status in (400, 404), (method, path, answer)
    assert snapshot(target) == before


def newest_routes() -> set[tuple[str, str]]:
    """Of what is served in several versions the newest; GET stands for HEAD."""
    newest: dict[tuple[str, str], str] = {}
    for method, route in routes():
        if method != "HEAD":
            key = method, re.sub(r"^/api/2\.\d", "", route.path)
            newest[key] = max(newest.get(key, ""), route.path)
    return {(method, template) for (method, _), template in newest.items()}


def routes_for(path: str) -> tuple[str, ...]:
    """The routes in whose space `path` is: the workspace may have a folder /Workspace/Volumes."""
    return VOLUME_ROUTES if path.startswith("/Volumes/main/s/v/link") else FILE_ROUTES


def carrying(method: str, hostile: str) -> dict[str, Any]:
    fields = {name: hostile for name in field_names() if re.search("path|name|location|uri", name)}
    fields |= {"format": "AUTO", "content": "eA==", "overwrite": "true", "recursive": "true"}
    if method in ("GET", "HEAD"):
        return {"query": {name: value for name, value in fields.items() if "\0" not in value}}
    return {"query": {"overwrite": "true"}, "body": json.dumps(fields).encode()}


def snapshot(target: Target) -> dict[str, str]:
    """All that is outside of the mounts and could be changed by a request."""
    machine = target.workspace.state.root.parent
    outside = {str(path): path.read_text() for path in (machine / "outside").rglob("*")}
    state = {str(path): "" for path in [*machine.iterdir(), *(machine / "state").iterdir()]}
    mounts = {str(path): "" for path in (machine / "state" / "mounts").iterdir()}
    return {**outside, **state, **mounts}


@pytest.mark.parametrize("hostile", ESCAPES)
def test_no_path_of_a_task_leads_out_of_the_workspace(target: Target, hostile: str) -> None:
    """Of a notebook, a Python file or a SQL file."""
    with pytest.raises(ApiError):
        target.workspace.volumes.resolve(hostile)
    if routes_for(hostile) != VOLUME_ROUTES:
        with pytest.raises(ApiError):
            target.workspace.files.notebook(hostile)
        with pytest.raises(ApiError):
            target.workspace.files.local_file(hostile)
