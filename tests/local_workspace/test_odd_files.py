"""Mounts that hold more than plain files: FIFOs, links, names that are no UTF-8, very many files."""

from __future__ import annotations

import base64
import io
import os
import threading
import zipfile
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceAlreadyExists
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.workspace import ExportFormat, ImportFormat
from scripted import ScriptedWorkspace

from local_workspace.errors import InvalidParameterValue
from local_workspace.store.regular_files import open_regular

FOLDER = "/Workspace/Shared/odd"
VOLUME = "/Volumes/main/default/odd"
FILES = 3_000


@pytest.fixture
def client(scripted: ScriptedWorkspace) -> WorkspaceClient:
    return scripted.client


@pytest.fixture
def folder(scripted: ScriptedWorkspace, client: WorkspaceClient) -> Path:
    """A folder of the workspace with a plain file beside what a test adds."""
    client.workspace.mkdirs(FOLDER)
    folder = scripted.workspace.state.mounts / FOLDER.removeprefix("/")
    (folder / "plain.txt").write_text("plain")
    return folder


def names(client: WorkspaceClient) -> list[str]:
    return [str(found.path).removeprefix(f"{FOLDER}/") for found in client.workspace.list(FOLDER)]


def exported(client: WorkspaceClient) -> list[str]:
    """The names in the archive that an export of the folder gives."""
    content = client.workspace.export(FOLDER, format=ExportFormat.AUTO).content
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(content))) as archive:
        return archive.namelist()


def test_a_fifo_is_no_object_of_the_workspace(client: WorkspaceClient, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    assert names(client) == ["plain.txt"]
    assert exported(client) == ["plain.txt"]
    missing = rf"Path \({FOLDER}/fifo\) doesn't exist"
    with pytest.raises(NotFound, match=missing):
        client.workspace.get_status(f"{FOLDER}/fifo")
    with pytest.raises(NotFound, match=missing):
        client.workspace.export(f"{FOLDER}/fifo")
    client.workspace.delete(FOLDER, recursive=True)
    assert not folder.exists()


def test_a_file_that_became_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidParameterValue, match="'fifo' is no regular file"):
        open_regular(tmp_path / "fifo")


def test_a_link_is_followed_neither_out_nor_in_circles(
    client: WorkspaceClient, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    links = {"out": tmp_path, "file_out": tmp_path / "secret.txt", "dangling": "nowhere"}
    for name, target in {**links, "up": "..", "self": "self", "inside": "plain.txt"}.items():
        (folder / name).symlink_to(target)
    assert names(client) == ["inside", "plain.txt", "up"]
    assert exported(client) == ["inside", "plain.txt"]
    for name in links:
        client.workspace.delete(f"{FOLDER}/{name}")
    assert (tmp_path / "secret.txt").read_text() == "secret"
    assert sorted(os.listdir(folder)) == ["inside", "plain.txt", "self", "up"]


def test_a_name_that_is_no_utf_8_does_not_hide_the_others(
    client: WorkspaceClient, folder: Path
) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_text("x")
    assert names(client) == ["plain.txt"]


def test_links_and_names_in_a_volume(
    client: WorkspaceClient, scripted: ScriptedWorkspace, tmp_path: Path
) -> None:
    client.volumes.create("main", "default", "odd", VolumeType.MANAGED)
    local = scripted.workspace.state.mounts / VOLUME.removeprefix("/")
    (local / "out").symlink_to(tmp_path)
    (local / "dangling").symlink_to("nowhere")
    os.mkfifo(local / "fifo")
    Path(os.fsdecode(os.fsencode(local) + b"/\xff.txt")).write_text("x")
    listed = [entry.name for entry in client.files.list_directory_contents(VOLUME)]
    assert listed == ["dangling", "fifo", "out"]
    with pytest.raises(NotFound):
        client.files.download(f"{VOLUME}/fifo")
    for name in listed:
        client.files.delete(f"{VOLUME}/{name}")
    assert tmp_path.exists()
    assert os.listdir(os.fsencode(local)) == [b"\xff.txt"]
    with pytest.raises(InvalidParameterValue):
        scripted.workspace.volumes.resolve_entry(f"{VOLUME}/..")


def test_others_are_answered_while_many_files_are_imported_listed_and_exported(
    client: WorkspaceClient,
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(FILES):
            archive.writestr(f"{number:05}.py", "# Databricks notebook source\n")
    content = packed.getvalue()

    def work() -> None:
        client.workspace.upload(FOLDER, content, format=ImportFormat.SOURCE)
        assert len(list(client.workspace.list(FOLDER))) == FILES
        client.workspace.export(FOLDER)
        client.workspace.delete(FOLDER, recursive=True)

    busy = threading.Thread(target=work)
    busy.start()
    answered = 0
    while busy.is_alive():
        client.current_user.me()
        answered += 1
    busy.join()
    # Four heavy requests alone would let four others pass.
    assert answered > 20


def test_a_folder_appears_whole_or_not_at_all(client: WorkspaceClient, folder: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.py", "# Databricks notebook source\n")
        archive.writestr("a.sql", "-- Databricks notebook source\n")
    with pytest.raises(ResourceAlreadyExists, match=f"{FOLDER}/new/a already exists"):
        client.workspace.upload(f"{FOLDER}/new", packed.getvalue(), format=ImportFormat.SOURCE)
    assert names(client) == ["plain.txt"]
    assert os.listdir(folder) == ["plain.txt"]
