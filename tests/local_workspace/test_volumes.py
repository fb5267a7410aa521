from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable
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
    ResourceConflict,
)
from databricks.sdk.service.catalog import VolumeType
from expect import refused
from serving import CatalogWorkspace
from support.waiting import wait_until

LANDING = "/Volumes/main/default/landing"


@pytest.fixture
def volume(client: WorkspaceClient, workspace: CatalogWorkspace) -> Path:
    """The folder of the volume `landing`."""
    client.volumes.create("main", "default", "landing", VolumeType.MANAGED)
    return workspace.state.mounts / LANDING.lstrip("/")


@pytest.fixture
def http(workspace: CatalogWorkspace) -> Callable[..., requests.Response]:
    """A request to the Files API as (method, path below `fs`, ...)."""

    def request(method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {workspace.token}", **more.pop("headers", {})}
        url = f"{workspace.url}/api/2.0/fs/{path}"
        return requests.request(method, url, headers=headers, **more)

    return request


# Volumes


def test_a_volume_is_created_shown_changed_and_deleted(
    client: WorkspaceClient, workspace: CatalogWorkspace
) -> None:
    created = client.volumes.create("main", "default", "Landing", VolumeType.MANAGED, comment="raw")
    assert (created.full_name, created.comment) == ("main.default.landing", "raw")
    folder = workspace.state.mounts / "Volumes/main/default/landing"
    assert created.storage_location == folder.as_uri()
    assert client.volumes.read("main.default.LANDING") == created
    assert [volume.name for volume in client.volumes.list("main", "default")] == ["landing"]

    (folder / "kept.csv").write_text("1")
    renamed = client.volumes.update("main.default.landing", new_name="Raw", comment="renamed")
    assert (renamed.full_name, renamed.comment) == ("main.default.raw", "renamed")
    assert renamed.volume_id == created.volume_id
    assert (folder.parent / "raw/kept.csv").read_text() == "1"

    client.volumes.delete("main.default.raw")
    assert not (folder.parent / "raw").exists()
    message = "Volume 'main.default.raw' does not exist."
    refused(
        NotFound,
        "RESOURCE_DOES_NOT_EXIST",
        message,
        lambda: client.volumes.read("main.default.raw"),
    )


@pytest.mark.usefixtures("volume")
def test_volumes_that_are_refused(client: WorkspaceClient) -> None:
    client.volumes.create("main", "default", "reports", VolumeType.MANAGED)
    exists = "Volume 'main.default.landing' already exists."
    refused(
        ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        exists,
        lambda: client.volumes.create("main", "default", "landing", VolumeType.MANAGED),
    )
    refused(
        ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        exists,
        lambda: client.volumes.update("main.default.reports", new_name="landing"),
    )
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "CreateVolume storage_location can not be provided.",
        lambda: client.volumes.create(
            "main", "default", "x", VolumeType.MANAGED, storage_location="s3://bucket"
        ),
    )
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace has no external locations, so it has managed volumes alone: leave out "
        "storage_location and set volume_type to MANAGED.",
        lambda: client.volumes.create("main", "default", "x", VolumeType.EXTERNAL),
    )


def test_at_start_unfinished_uploads_are_removed(workspace: CatalogWorkspace) -> None:
    (workspace.volumes.uploads / "half").write_text("1")
    workspace.volumes.remove_leftovers()
    assert list(workspace.volumes.uploads.iterdir()) == []


# Files


@pytest.mark.usefixtures("volume")
def test_a_file_is_uploaded_described_downloaded_and_deleted(client: WorkspaceClient) -> None:
    path = f"{LANDING}/new folder/ü%2F+?.csv"
    client.files.upload(path, io.BytesIO(b"a,b\n1,2\n"))
    described = client.files.get_metadata(path)
    assert (described.content_length, described.content_type) == (8, "application/octet-stream")
    contents = client.files.download(path).contents
    assert contents is not None
    assert contents.read() == b"a,b\n1,2\n"
    client.files.delete(path)
    message = f"The file {path} does not exist."
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", message, lambda: client.files.delete(path))
    with pytest.raises(NotFound):
        client.files.get_metadata(path)


def test_a_file_is_replaced_only_if_asked(client: WorkspaceClient, volume: Path) -> None:
    path = f"{LANDING}/x.csv"
    client.files.upload(path, io.BytesIO(b"old"))
    refused(
        ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        f"The file {path} already exists.",
        lambda: client.files.upload(path, io.BytesIO(b"new"), overwrite=False),
    )
    assert (volume / "x.csv").read_bytes() == b"old"
    client.files.upload(path, io.BytesIO(b"new"), overwrite=True)
    assert (volume / "x.csv").read_bytes() == b"new"


def test_an_upload_that_breaks_off_leaves_nothing(
    volume: Path, workspace: CatalogWorkspace
) -> None:
    host, port = workspace.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"PUT /api/2.0/fs/files{LANDING}/x.csv HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n"
            f"Authorization: Bearer {workspace.token}\r\n\r\nhalf".encode()
        )
        wait_until(lambda: any(workspace.volumes.uploads.iterdir()), "the upload's beginning")
    wait_until(lambda: not any(workspace.volumes.uploads.iterdir()), "the upload's removal")
    assert list(volume.iterdir()) == []


def test_large_files_go_through_the_sdk(client: WorkspaceClient, volume: Path) -> None:
    client.config.files_ext_multipart_upload_min_stream_size = 1000
    files = WorkspaceClient(config=client.config).files
    data = os.urandom(3_000_000)
    files.upload(f"{LANDING}/large.bin", io.BytesIO(data))
    files.upload(f"{LANDING}/parallel.bin", io.BytesIO(data), use_parallel=True)
    assert (volume / "large.bin").read_bytes() == data
    assert (volume / "parallel.bin").read_bytes() == data


def test_a_part_of_a_file_is_sent_unless_it_has_changed(
    volume: Path, http: Callable[..., requests.Response]
) -> None:
    (volume / "x").write_bytes(b"0123456789")
    answer = http("GET", f"files{LANDING}/x", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")

    same = {"If-Unmodified-Since": answer.headers["last-modified"]}
    assert http("GET", f"files{LANDING}/x", headers=same).status_code == 200
    since = "Wed, 01 Jan 2020 00:00:00 GMT"
    changed = http("GET", f"files{LANDING}/x", headers={"If-Unmodified-Since": since})
    assert (changed.status_code, changed.json()) == (
        412,
        {
            "error_code": "PRECONDITION_FAILED",
            "message": f"The file {LANDING}/x has been modified since {since}.",
        },
    )


# Directories


@pytest.mark.usefixtures("volume")
def test_a_directory_is_made_listed_and_deleted(client: WorkspaceClient) -> None:
    client.files.create_directory(f"{LANDING}/a/b")
    client.files.create_directory(f"{LANDING}/a/b")
    client.files.upload(f"{LANDING}/a/x.csv", io.BytesIO(b"123"))
    client.files.get_directory_metadata(f"{LANDING}/a")
    listed = list(client.files.list_directory_contents(f"{LANDING}/a/", page_size=1))
    assert [(e.path, e.name, e.is_directory, e.file_size) for e in listed] == [
        (f"{LANDING}/a/b", "b", True, None),
        (f"{LANDING}/a/x.csv", "x.csv", False, 3),
    ]
    assert abs((listed[1].last_modified or 0) / 1000 - time.time()) < 60
    client.files.delete_directory(f"{LANDING}/a/b")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(f"{LANDING}/a/b")
    message = f"The directory {LANDING}/a/b does not exist."
    refused(
        NotFound,
        "RESOURCE_DOES_NOT_EXIST",
        message,
        lambda: list(client.files.list_directory_contents(f"{LANDING}/a/b")),
    )


@pytest.mark.usefixtures("volume")
def test_only_empty_directories_are_deleted(
    client: WorkspaceClient, http: Callable[..., requests.Response]
) -> None:
    client.files.create_directory(f"{LANDING}/a/b")
    answer = http("DELETE", f"directories{LANDING}/a")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DIRECTORY_NOT_EMPTY")
    assert answer.json()["message"] == f"The directory {LANDING}/a is not empty."
    # The reason by which the CLI recognises this.
    assert answer.json()["details"][0]["reason"] == "FILES_API_DIRECTORY_IS_NOT_EMPTY"
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        f"{LANDING} is a volume; delete it with Unity Catalog.",
        lambda: client.files.delete_directory(LANDING),
    )


@pytest.mark.usefixtures("volume")
def test_files_and_directories_do_not_take_each_others_place(client: WorkspaceClient) -> None:
    client.files.upload(f"{LANDING}/x", io.BytesIO(b"1"))
    part = f"{LANDING}/x/y cannot be created: a part of its path is a file."
    for call in (
        lambda: client.files.upload(f"{LANDING}/x/y", io.BytesIO(b"2")),
        lambda: client.files.create_directory(f"{LANDING}/x/y"),
    ):
        refused(ResourceConflict, "RESOURCE_CONFLICT", part, call)
    refused(
        ResourceConflict,
        "RESOURCE_CONFLICT",
        f"{LANDING} is a directory.",
        lambda: client.files.upload(LANDING, io.BytesIO(b"2"), overwrite=True),
    )


# Paths


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (
            "/Volumes/main/default",
            "INVALID_PARAMETER_VALUE",
            "Path '/Volumes/main/default' must begin with /Volumes/<catalog>/<schema>/<volume>.",
        ),
        (
            "/etc/passwd/a/b",
            "INVALID_PARAMETER_VALUE",
            "Path '/etc/passwd/a/b' must begin with /Volumes/<catalog>/<schema>/<volume>.",
        ),
        (
            "/Volumes/main/default/none/x",
            "RESOURCE_DOES_NOT_EXIST",
            "Volume 'main.default.none' does not exist.",
        ),
        (
            f"{LANDING}/../landing/x",
            "INVALID_PARAMETER_VALUE",
            f"Path '{LANDING}/../landing/x' has a part that is not a valid name: '..'.",
        ),
        (
            f"{LANDING}/a\0b",
            "INVALID_PARAMETER_VALUE",
            f"Path '{LANDING}/a\0b' has a part that is not a valid name: 'a\0b'.",
        ),
    ],
)
def test_paths_that_are_refused(
    http: Callable[..., requests.Response], path: str, code: str, message: str
) -> None:
    # Encoded slashes keep the client from resolving `..` itself.
    for method, kind in [("PUT", "files"), ("GET", "files"), ("GET", "directories")]:
        answer = http(method, f"{kind}{quote(path, safe='')}")
        assert answer.json() == {"error_code": code, "message": message}


def test_a_link_out_of_the_volumes_is_not_followed(
    volume: Path, http: Callable[..., requests.Response], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("1")
    (volume / "link").symlink_to(tmp_path)
    answer = http("GET", f"files{LANDING}/link/secret")
    assert answer.json() == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": f"Path '{LANDING}/link/secret' leads out of /Volumes through a symbolic link.",
    }


def test_names_of_volumes_in_paths_have_no_case(client: WorkspaceClient, volume: Path) -> None:
    client.files.upload("/Volumes/MAIN/Default/Landing/X.csv", io.BytesIO(b"1"))
    assert (volume / "X.csv").exists()
