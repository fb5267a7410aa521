from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from databricks.sdk.service.workspace import ImportFormat, Language, ObjectType
from expect import refused
from serving import Switchboard
from workspace_parts import BundleWorkspace, bundle_workspace

from local_workspace.store.workspace_files import WorkspaceFiles, canonical

HOME = "/Workspace/Users/local@localhost"
NOTEBOOK = "# Databricks notebook source\nprint(1)\n"


@pytest.fixture
def workspace(switchboard: Switchboard, tmp_path: Path) -> Iterator[BundleWorkspace]:
    with bundle_workspace(switchboard, tmp_path / "state") as served:
        yield served


@pytest.fixture
def upload(workspace: BundleWorkspace) -> Callable[..., requests.Response]:
    """Import a file as the CLI does: the path percent-encoded as one segment."""

    def send(path: str, content: bytes, overwrite: bool = True) -> requests.Response:
        url = f"{workspace.url}/api/2.0/workspace-files/import-file/{quote(path, safe='@')}"
        return requests.post(
            url,
            params={"overwrite": str(overwrite).lower()},
            data=content,
            headers={"Authorization": f"Bearer {workspace.token}"},
        )

    return send


def test_the_home_and_shared_folders_are_there_from_the_start(client: WorkspaceClient) -> None:
    assert {item.path for item in client.workspace.list("/Workspace")} == {
        "/Workspace/Shared",
        "/Workspace/Users",
    }
    assert client.workspace.get_status(HOME).object_type == ObjectType.DIRECTORY


def test_a_file_keeps_its_bytes_its_name_and_its_id(
    client: WorkspaceClient, upload: Callable[..., requests.Response], workspace: BundleWorkspace
) -> None:
    path = f"{HOME}/a b%2F ü.bin"
    content = bytes(range(256))
    assert upload(path.lstrip("/"), content).json() == {}
    first = client.workspace.get_status(path)
    assert (first.path, first.object_type, first.size) == (path, ObjectType.FILE, 256)
    assert (workspace.state.mounts / path.lstrip("/")).read_bytes() == content

    assert upload(path, b"new").ok
    second = client.workspace.get_status(path)
    assert (second.object_id, second.size) == (first.object_id, 3)
    with client.workspace.download(path) as file:
        assert file.read() == b"new"


@pytest.mark.parametrize(
    ("name", "content", "path", "language"),
    [
        ("n.py", NOTEBOOK, "n", Language.PYTHON),
        ("n.sql", "-- Databricks notebook source\r\nSELECT 1", "n", Language.SQL),
        ("n.scala", "// Databricks notebook source", "n", Language.SCALA),
        ("n.R", "# Databricks notebook source\n1", "n", Language.R),
        ("n.py", "print(1)\n# Databricks notebook source\n", "n.py", None),
        ("n.sql", "# Databricks notebook source\n", "n.sql", None),
        ("n.txt", NOTEBOOK, "n.txt", None),
    ],
)
def test_the_first_line_and_the_extension_tell_what_a_notebook_is(
    client: WorkspaceClient,
    upload: Callable[..., requests.Response],
    name: str,
    content: str,
    path: str,
    language: Language | None,
) -> None:
    upload(f"{HOME}/{name}", content.encode())
    found = client.workspace.get_status(f"{HOME}/{path}")
    assert found.language == language
    assert found.object_type == (ObjectType.NOTEBOOK if language else ObjectType.FILE)
    with client.workspace.download(f"{HOME}/{path}") as file:
        assert file.read() == content.encode()


def test_a_jupyter_notebook_becomes_source(
    client: WorkspaceClient, upload: Callable[..., requests.Response]
) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {"cell_type": "code", "source": "x = 1"},
        {"cell_type": "code", "source": "%sql SELECT 1"},
    ]
    upload(f"{HOME}/j.ipynb", json.dumps({"cells": cells}).encode())
    with client.workspace.download(f"{HOME}/j") as file:
        assert file.read().decode() == (
            "# Databricks notebook source\n"
            "# MAGIC %md\n# MAGIC # Title\n# MAGIC text\n\n"
            "# COMMAND ----------\n\nx = 1\n\n"
            "# COMMAND ----------\n\n# MAGIC %sql SELECT 1\n"
        )
    answer = upload(f"{HOME}/k.ipynb", b"{}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_users_and_workspace_users_are_one_place(
    client: WorkspaceClient, upload: Callable[..., requests.Response]
) -> None:
    upload("/Users/local@localhost//x.txt", b"x")
    long = client.workspace.get_status(f"{HOME}/x.txt")
    short = client.workspace.get_status("/Users/local@localhost/x.txt/")
    assert long.object_id == short.object_id
    assert (long.path, short.path) == (f"{HOME}/x.txt", "/Users/local@localhost/x.txt")
    assert [item.path for item in client.workspace.list("/Users/local@localhost")] == [short.path]
    assert [item.path for item in client.workspace.list(f"{HOME}/x.txt")] == [long.path]


def test_import_and_export_with_base64(client: WorkspaceClient) -> None:
    source = base64.b64encode(b"print(1)").decode()
    client.workspace.import_(
        f"{HOME}/n", content=source, format=ImportFormat.SOURCE, language=Language.PYTHON
    )
    exported = client.workspace.export(f"{HOME}/n")
    assert base64.b64decode(exported.content or "").decode() == NOTEBOOK.strip()
    assert exported.file_type == "py"

    client.workspace.import_(f"{HOME}/f.csv", content=source, format=ImportFormat.AUTO)
    assert client.workspace.get_status(f"{HOME}/f.csv").object_type == ObjectType.FILE


def test_what_exists_is_replaced_only_on_demand(
    client: WorkspaceClient, upload: Callable[..., requests.Response]
) -> None:
    for name in ("x.txt", "n.py"):
        upload(f"{HOME}/{name}", NOTEBOOK.encode())
    again = upload(f"{HOME}/x.txt", b"2", overwrite=False)
    assert (again.status_code, again.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")
    # The CLI knows a notebook's refusal by its status and the end of this sentence.
    again = upload(f"{HOME}/n.py", NOTEBOOK.encode(), overwrite=False)
    assert (again.status_code, "already exists." in again.json()["message"]) == (400, True)
    again = upload(f"{HOME}", b"2")
    assert (again.status_code, again.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")
    with client.workspace.download(f"{HOME}/x.txt") as file:
        assert file.read() == NOTEBOOK.encode()


def test_a_missing_parent_folder_is_said(upload: Callable[..., requests.Response]) -> None:
    answer = upload(f"{HOME}/no/x.txt", b"x")
    assert answer.status_code == 404
    assert answer.json() == {
        "error_code": "RESOURCE_DOES_NOT_EXIST",
        "message": f"The parent folder ({HOME}/no) does not exist.",
    }


def test_folders_are_made_and_deleted(
    client: WorkspaceClient, upload: Callable[..., requests.Response], workspace: BundleWorkspace
) -> None:
    client.workspace.mkdirs(f"{HOME}/a/b")
    client.workspace.mkdirs(f"{HOME}/a/b")
    upload(f"{HOME}/a/b/x.txt", b"x")
    refused(
        BadRequest,
        "DIRECTORY_NOT_EMPTY",
        f"Folder ({HOME}/a) is not empty",
        lambda: client.workspace.delete(f"{HOME}/a"),
    )
    refused(
        ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        f"{HOME}/a/b/x.txt/c cannot be a directory: a file of that path or of a parent exists.",
        lambda: client.workspace.mkdirs(f"{HOME}/a/b/x.txt/c"),
    )
    before = client.workspace.get_status(f"{HOME}/a/b/x.txt").object_id
    client.workspace.delete(f"{HOME}/a", recursive=True)
    refused(
        ResourceDoesNotExist,
        "RESOURCE_DOES_NOT_EXIST",
        f"Path ({HOME}/a) doesn't exist.",
        lambda: client.workspace.get_status(f"{HOME}/a"),
    )
    assert not (workspace.state.mounts / f"{HOME}/a".lstrip("/")).exists()
    client.workspace.mkdirs(f"{HOME}/a/b")
    upload(f"{HOME}/a/b/x.txt", b"x")
    assert client.workspace.get_status(f"{HOME}/a/b/x.txt").object_id != before


@pytest.mark.parametrize(
    "path",
    ["/Users/../../etc/passwd", "/Workspace/Users/..", f"{HOME}/a\0b", f"{HOME}/{'x' * 300}", "x"],
)
def test_paths_that_lead_out_or_are_no_names_are_refused(
    client: WorkspaceClient, path: str
) -> None:
    for call in (client.workspace.get_status, client.workspace.mkdirs, client.workspace.delete):
        with pytest.raises(InvalidParameterValue):
            call(path)


def test_a_lone_surrogate_is_no_path() -> None:
    with pytest.raises(Exception, match="not valid Unicode"):
        canonical("/Users/\ud800")


def test_a_link_out_of_the_workspace_is_not_followed(
    client: WorkspaceClient, workspace: BundleWorkspace, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("x")
    (workspace.state.mounts / HOME.lstrip("/") / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidParameterValue, match="leads out of"):
        client.workspace.export(f"{HOME}/link/secret")


def test_what_a_task_writes_to_the_mount_is_an_object_too(
    client: WorkspaceClient, workspace: BundleWorkspace
) -> None:
    folder = workspace.state.mounts / HOME.lstrip("/") / "out"
    folder.mkdir()
    (folder / "x.csv").write_text("a,b")
    (found,) = client.workspace.list(f"{HOME}/out")
    assert (found.path, found.object_type, found.size) == (f"{HOME}/out/x.csv", ObjectType.FILE, 3)


def test_an_upload_that_fails_leaves_nothing(
    workspace: BundleWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, workspace.files.upload() as incoming:
        incoming.write_text("x")
        patched.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space left"):
            workspace.files.put(f"{HOME}/x.txt", incoming, overwrite=True)
    rows: Any = workspace.db.all("SELECT * FROM workspace_objects WHERE path LIKE '%x.txt'")
    assert rows == []
    assert not incoming.exists()

    leftover = workspace.state.root / "pending-uploads" / "half"
    leftover.write_text("half an upload of a server that was killed")
    WorkspaceFiles(workspace.db, workspace.state.mounts)
    assert not leftover.exists()


def test_a_notebook_for_a_task_is_its_source(
    workspace: BundleWorkspace, upload: Callable[..., requests.Response]
) -> None:
    upload(f"{HOME}/n.py", NOTEBOOK.encode())
    notebook = workspace.files.notebook("/Users/local@localhost/n")
    assert (notebook.path, notebook.language, notebook.source) == (f"{HOME}/n", "PYTHON", NOTEBOOK)
    assert workspace.files.local_file(f"{HOME}/n").read_text() == NOTEBOOK
    with pytest.raises(Exception, match=r"/Shared is not a notebook but a DIRECTORY\."):
        workspace.files.notebook("/Shared")


def test_a_missing_object_is_missing_for_every_call(client: WorkspaceClient) -> None:
    for call in (
        client.workspace.export,
        client.workspace.delete,
        lambda p: [*client.workspace.list(p)],
    ):
        with pytest.raises(NotFound, match=r"Path \(/Workspace/no\) doesn't exist\."):
            call("/Workspace/no")
