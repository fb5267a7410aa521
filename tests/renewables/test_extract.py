from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from renewables import remote
from renewables.errors import BrokenLanding, SourceUnreachable, UnexpectedHeader
from renewables.extract import extract
from renewables.landing import landed_files

WIND = b"Entity,Code,Year,Wind (% electricity)\nNorway,NOR,2020,6.4\n"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return tmp_path / "landing"


@pytest.fixture
def wind_csv(tmp_path: Path) -> Path:
    path = tmp_path / "wind.csv"
    path.write_bytes(WIND)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def test_lands_the_content_under_its_hash(landing: Path, wind_csv: Path) -> None:
    file, is_new = extract(str(wind_csv), landing)
    assert is_new
    assert file.path == landing / "wind" / f"{hashlib.sha256(WIND).hexdigest()}.csv"
    assert file.path.read_bytes() == WIND
    assert file.source_modified_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert landed_files(landing) == [file]


def test_lands_the_same_content_once(landing: Path, wind_csv: Path, tmp_path: Path) -> None:
    first, _ = extract(str(wind_csv), landing)
    copy = tmp_path / "renamed.csv"
    copy.write_bytes(WIND)
    second, is_new = extract(str(copy), landing)
    assert not is_new
    assert second.path == first.path
    assert landed_files(landing) == [first]
    assert len(list((landing / "wind").iterdir())) == 2


def test_reads_chunk_by_chunk(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "CHUNK_BYTES", 40)
    fsspec.filesystem("memory").pipe("/wind.csv", WIND)
    assert list(remote.chunks("memory://wind.csv")) == [WIND[:40], WIND[40:]]
    assert extract("memory://wind.csv", landing)[0].path.read_bytes() == WIND


def test_leaves_nothing_of_a_file_that_breaks_off(
    landing: Path, wind_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(uri: str) -> object:
        yield WIND
        raise SourceUnreachable(f"{uri} broke off")

    monkeypatch.setattr(remote, "chunks", break_off)
    with pytest.raises(SourceUnreachable, match="broke off"):
        extract(str(wind_csv), landing)
    assert list((landing / "wind").iterdir()) == []


def test_refuses_a_csv_of_something_else(landing: Path, tmp_path: Path) -> None:
    path = tmp_path / "coal.csv"
    path.write_text("Entity,Code,Year,Coal (% electricity)\n")
    with pytest.raises(UnexpectedHeader, match=f"{path} has 0 known measures"):
        extract(str(path), landing)
    assert not landing.exists()


def test_names_a_file_that_is_gone(landing: Path) -> None:
    with pytest.raises(SourceUnreachable, match=r"The source /gone\.csv cannot be read: .*No such"):
        extract("/gone.csv", landing)


def test_a_landed_file_needs_its_record(landing: Path, wind_csv: Path) -> None:
    file, _ = extract(str(wind_csv), landing)
    file.path.with_suffix(".json").unlink()
    with pytest.raises(BrokenLanding, match=r"delete both and run the ingest job again\.$"):
        landed_files(landing)
