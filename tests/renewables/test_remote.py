"""Sources over real protocols: an HTTP server and moto's S3 server, both on loopback."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from renewables import remote, retries
from renewables.credentials import storage_options
from renewables.discover import discover
from renewables.errors import ChangedSource, SourceUnreachable
from renewables.extract import extract

WIND = b"Entity,Code,Year,Wind (% electricity)\nNorway,NOR,2020,6.4\n"
MODIFIED = datetime(2025, 3, 1, 12, tzinfo=UTC)


class Faulty(SimpleHTTPRequestHandler):
    """Serves a folder, with an index; the first GETs of a CSV fail as `faults` says."""

    faults: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        fault = self.faults.pop(0) if self.faults and ".csv" in self.path else ""
        if fault.isdigit():
            self.send_error(HTTPStatus(int(fault)))
        elif fault == "cut":
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(WIND[:20])
        elif fault == "hang up":
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is the test's."""


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a folder with one CSV."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "notes.txt").touch()
    (folder / "wind.csv").write_bytes(WIND)
    os.utime(folder / "wind.csv", (MODIFIED.timestamp(), MODIFIED.timestamp()))
    monkeypatch.setattr(retries, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(Faulty, "faults", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Faulty, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_reads_a_folder_over_http(web: str, tmp_path: Path) -> None:
    assert discover(web) == [f"{web}/wind.csv"]
    assert discover(f"{web}/wind.csv?csvType=full") == [f"{web}/wind.csv?csvType=full"]
    file, _ = extract(f"{web}/wind.csv", tmp_path / "landing")
    assert file.path.read_bytes() == WIND
    assert file.source_modified_at == MODIFIED


@pytest.mark.parametrize("fault", ["503", "429", "cut", "hang up"])
def test_tries_again_after_a_transport_error(web: str, tmp_path: Path, fault: str) -> None:
    Faulty.faults += [fault, fault]
    file, _ = extract(f"{web}/wind.csv", tmp_path / "landing")
    assert file.path.read_bytes() == WIND


def test_gives_up_in_the_end_and_leaves_nothing(web: str, tmp_path: Path) -> None:
    Faulty.faults += ["503"] * 99
    with pytest.raises(SourceUnreachable, match=rf"The source {web}/wind\.csv cannot be read: 503"):
        extract(f"{web}/wind.csv", tmp_path / "landing")
    assert list((tmp_path / "landing").iterdir()) == []
    assert len(Faulty.faults) == 99 - retries.ATTEMPTS


def test_does_not_try_again_what_is_not_there(web: str, tmp_path: Path) -> None:
    Faulty.faults += ["404"]
    with pytest.raises(SourceUnreachable, match=r"wind\.csv cannot be read"):
        extract(f"{web}/wind.csv", tmp_path / "landing")
    assert Faulty.faults == []


class Scope:
    """As much of dbutils.secrets as there is to it: one scope."""

    def __init__(self, **secrets: str) -> None:
        self._secrets = secrets

    def list(self, scope: str) -> list[Any]:
        assert scope == "owid"
        return [SimpleNamespace(key=name) for name in self._secrets]

    def get(self, scope: str, key: str) -> str:
        assert scope == "owid"
        return self._secrets[key]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of an S3 server that has s3://owid/csv/wind.csv."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="owid")
    for key in ("csv/wind.csv", "csv/notes.txt", "csv/older/wind.csv"):
        client.put_object(Bucket="owid", Key=key, Body=WIND)
    yield url
    client.close()
    server.stop()


@pytest.fixture
def options(s3: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a secret scope gives; the server's address comes from the platform."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    dbutils = SimpleNamespace(secrets=Scope(key="id", secret="secret"))
    return storage_options(dbutils, "owid")


def test_reads_a_folder_from_s3(options: dict[str, str], tmp_path: Path) -> None:
    assert options == {"key": "id", "secret": "secret"}
    assert discover("s3://owid/csv", options) == ["s3://owid/csv/wind.csv"]
    file, is_new = extract("s3://owid/csv/wind.csv", tmp_path / "landing", options)
    assert is_new
    assert file.path.read_bytes() == WIND
    assert datetime.now(UTC) > file.source_modified_at > MODIFIED


def test_names_a_bucket_that_is_not_there(options: dict[str, str]) -> None:
    with pytest.raises(
        SourceUnreachable, match=r"s3://nosuch/csv cannot be read: it does not exist"
    ):
        discover("s3://nosuch/csv", options)


def test_without_a_scope_the_platform_has_the_credentials() -> None:
    assert storage_options(None, "") == {}


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "wind.csv"
    path.write_bytes(WIND * 100_000)
    content = remote.chunks(str(path))
    next(content)
    path.write_bytes(WIND)
    with pytest.raises(ChangedSource, match=r"wind\.csv changed while it was read: "):
        list(content)
