from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from renewables.discover import discover
from renewables.errors import CredentialsInUri, NoSourceFiles, SourceUnreachable


def test_lists_the_csvs_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "A.CSV", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "c.csv").touch()
    assert discover(str(tmp_path)) == [f"{tmp_path}/A.CSV", f"{tmp_path}/b.csv"]


def test_takes_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "a b[1].csv").touch()
    assert discover(f"{tmp_path}/a b[1].csv") == [f"{tmp_path}/a b[1].csv"]


def test_gives_urls_for_a_url() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/owid/wind.csv", b"")
    assert discover("memory://owid") == ["memory:///owid/wind.csv"]


def test_takes_several_as_a_json_array(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv.gz").touch()
    uris = [f"{tmp_path}/b.csv.gz", str(tmp_path)]
    assert discover(json.dumps(uris)) == [f"{tmp_path}/b.csv.gz", f"{tmp_path}/a.csv"]


def test_names_a_source_without_csv(tmp_path: Path) -> None:
    with pytest.raises(NoSourceFiles, match=f"No CSV file at {tmp_path}: set source_uri to"):
        discover(str(tmp_path))


def test_refuses_a_password_in_the_uri() -> None:
    with pytest.raises(CredentialsInUri) as error:
        discover("https://me:hunter2@example.org/owid")
    assert "source_uri holds a password for example.org" in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("/does/not/exist", "it does not exist"),
        ("/does/not/exist.csv", "it does not exist"),
        ("nosuch://bucket", "Protocol not known: nosuch"),
    ],
)
def test_names_an_unreachable_source(uri: str, reason: str) -> None:
    with pytest.raises(SourceUnreachable, match=rf"The source {uri} cannot be read: {reason}\. "):
        discover(uri)
