"""`workspace.upload`, `download`, `import_` and `export` in each format; folders as zip archives."""

from __future__ import annotations

import base64
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, ResourceAlreadyExists
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType
from expect import refused
from serving import Switchboard
from workspace_parts import BundleWorkspace, bundle_workspace

from local_workspace.store import archives, workspace_files

HOME = "/Workspace/Users/local@localhost"
NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"
JUPYTER = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]},
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": ["x = 1\n", "y = 2"],
            },
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": ["%sql\n", "SELECT 1"],
            },
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 0,
    }
).encode()


@pytest.fixture
def workspace(switchboard: Switchboard, tmp_path: Path) -> Iterator[BundleWorkspace]:
    with bundle_workspace(switchboard, tmp_path / "state") as served:
        yield served


def tree(client: WorkspaceClient, path: str) -> dict[str, ObjectType | None]:
    found = client.workspace.list(path, recursive=True)
    return {(item.path or "").removeprefix(f"{path}/"): item.object_type for item in found}


def download(client: WorkspaceClient, path: str, format: ExportFormat) -> bytes:
    with client.workspace.download(path, format=format) as file:
        return file.read()


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "options", "stored"),
    [
        ("n", b"print(1)", {"format": ImportFormat.SOURCE, "language": Language.PYTHON}, "n"),
        ("n.py", b"print(1)", {}, "n.py"),
        ("n.py", NOTEBOOK, {"format": ImportFormat.AUTO}, "n"),
        ("n", JUPYTER, {"format": ImportFormat.JUPYTER}, "n"),
        ("n.ipynb", JUPYTER, {"format": ImportFormat.JUPYTER}, "n"),
        ("n.ipynb", JUPYTER, {"format": ImportFormat.AUTO}, "n"),
    ],
)
def test_a_notebook_is_uploaded(
    client: WorkspaceClient, name: str, content: bytes, options: dict[str, object], stored: str
) -> None:
    client.workspace.upload(f"{HOME}/{name}", content, **options)  # type: ignore[arg-type]
    assert tree(client, HOME) == {stored: ObjectType.NOTEBOOK}
    exported = download(client, f"{HOME}/{stored}", ExportFormat.SOURCE)
    assert exported.startswith(b"# Databricks notebook source\n")


def test_a_file_is_uploaded_and_replaced_only_if_asked(client: WorkspaceClient) -> None:
    path, content = f"{HOME}/a b.bin", bytes(range(256)) * 10_000
    client.workspace.upload(path, io.BytesIO(content), format=ImportFormat.AUTO)
    assert download(client, path, ExportFormat.AUTO) == content
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.upload(path, b"", format=ImportFormat.AUTO)
    client.workspace.upload(path, b"new", format=ImportFormat.AUTO, overwrite=True)
    assert base64.b64decode(client.workspace.export(path).content or "") == b"new"
    client.workspace.upload(f"{HOME}/n.py", NOTEBOOK, format=ImportFormat.RAW)
    assert tree(client, HOME)["n.py"] is ObjectType.FILE


def test_a_notebook_goes_to_jupyters_form_and_back(client: WorkspaceClient) -> None:
    client.workspace.upload(f"{HOME}/n", JUPYTER, format=ImportFormat.JUPYTER)
    exported = download(client, f"{HOME}/n", ExportFormat.JUPYTER)
    assert json.loads(exported) == json.loads(JUPYTER)
    assert client.workspace.export(f"{HOME}/n", format=ExportFormat.JUPYTER).file_type == "ipynb"


@pytest.mark.parametrize("name", ["HTML", "DBC", "R_MARKDOWN"])
def test_other_formats_are_refused(client: WorkspaceClient, name: str) -> None:
    message = f"The local workspace has no format {name}; it has AUTO, SOURCE, RAW, JUPYTER."
    upload, export = client.workspace.upload, client.workspace.export
    format = ImportFormat(name)
    refused(
        BadRequest, "FEATURE_DISABLED", message, lambda: upload(f"{HOME}/n", b"", format=format)
    )
    refused(
        BadRequest, "FEATURE_DISABLED", message, lambda: export(HOME, format=ExportFormat(name))
    )
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace has no format JUPYTER; it has AUTO, SOURCE.",
        lambda: export(HOME, format=ExportFormat.JUPYTER),
    )


def test_a_folder_goes_out_and_in_as_a_zip_archive(client: WorkspaceClient) -> None:
    client.workspace.mkdirs(f"{HOME}/a/sub")
    client.workspace.upload(f"{HOME}/a/sub/n.py", NOTEBOOK, format=ImportFormat.AUTO)
    client.workspace.upload(f"{HOME}/a/data.csv", b"x", format=ImportFormat.AUTO)
    everything = download(client, f"{HOME}/a", ExportFormat.AUTO)
    source = download(client, f"{HOME}/a", ExportFormat.SOURCE)
    with zipfile.ZipFile(io.BytesIO(source)) as opened:
        assert opened.namelist() == ["sub/n.py"]

    client.workspace.upload(f"{HOME}/b", everything, format=ImportFormat.SOURCE)
    client.workspace.upload(f"{HOME}/c.zip", everything, format=ImportFormat.AUTO)
    client.workspace.upload(f"{HOME}/d.zip", everything, format=ImportFormat.RAW)

    assert tree(client, f"{HOME}/a") == tree(client, f"{HOME}/b") == tree(client, f"{HOME}/c.zip")
    assert tree(client, f"{HOME}/b")["sub/n"] is ObjectType.NOTEBOOK
    assert client.workspace.get_status(f"{HOME}/d.zip").object_type is ObjectType.FILE
    with pytest.raises(ResourceAlreadyExists, match="a folder cannot be overwritten"):
        client.workspace.upload(f"{HOME}/b", everything, overwrite=True)


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(("a.txt", b""), ("../up", b"")), "an entry with an invalid path: '../up'"),
        (archive(("a/../../up", b"")), "an entry with an invalid path"),
        (archive(("/etc/up", b"")), "an entry with an invalid path: '/etc/up'"),
        (archive(("a\\..\\up", b"")), "an entry with an invalid path"),
        (archive((link(), b"/etc/passwd")), "has a symbolic link: 'link'"),
        (archive(("in.ZIP", b"")), "has another zip archive in it: 'in.ZIP'"),
        (archive(("a.ipynb", b"{}")), "is not a Jupyter notebook"),
        (
            archive(("a.txt", b"x")).replace(b"PK\1\2", b"PK\1\3"),
            "cannot be read: Bad magic number",
        ),
        (archive(("n" * 300, b"")), "cannot be read: .* File name too long"),
    ],
)
def test_archives_that_are_refused_leave_nothing(
    client: WorkspaceClient, workspace: BundleWorkspace, content: bytes, message: str
) -> None:
    with pytest.raises(DatabricksError, match=message):
        client.workspace.upload(f"{HOME}/z", content)
    assert tree(client, HOME) == {}
    assert list((workspace.state.root / "pending-uploads").iterdir()) == []


def test_a_bomb_is_not_unpacked(
    client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    for bomb in (archive(("zeros", bytes(1_000_001))), archive(*((str(n), b"") for n in range(4)))):
        with pytest.raises(DatabricksError, match="the limits are 3 files and") as refusal:
            client.workspace.upload(f"{HOME}/z", bomb)
        assert refusal.value.error_code == "REQUEST_TOO_LARGE"
    # One that declares less than it holds is cut where it said it would end, and does not match its checksum.
    content = bytearray(archive(("zeros", bytes(900_000))))
    for offset in (content.index(b"PK\3\4") + 22, content.index(b"PK\1\2") + 24):
        content[offset : offset + 4] = (10).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(content)
    with pytest.raises(Exception, match="cannot be read: Bad CRC-32"):
        archives.unpack(tmp_path / "liar.zip", tmp_path / "out")
    assert (tmp_path / "out" / "zeros").stat().st_size <= 10


def test_what_is_too_large_for_json_is_told(
    client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_workspace.api.workspace_files.MAX_NOTEBOOK", 10)
    monkeypatch.setattr("local_workspace.api.workspace_export.MAX_NOTEBOOK", 10)
    monkeypatch.setattr(workspace_files, "MAX_NOTEBOOK", 10)
    client.workspace.upload(f"{HOME}/x", b"x" * 11, format=ImportFormat.RAW)
    assert download(client, f"{HOME}/x", ExportFormat.AUTO) == b"x" * 11
    encoded = base64.b64encode(b"x" * 11).decode()
    for call in (
        lambda: client.workspace.export(f"{HOME}/x"),
        lambda: client.workspace.import_(f"{HOME}/y", content=encoded, format=ImportFormat.RAW),
        lambda: client.workspace.upload(f"{HOME}/n.py", NOTEBOOK, format=ImportFormat.AUTO),
    ):
        with pytest.raises(BadRequest) as refusal:
            call()
        assert refusal.value.error_code == "MAX_NOTEBOOK_SIZE_EXCEEDED"
