from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from support.step_process import extract_process

from renewables import remote
from renewables.errors import BrokenLanding, SourceUnreachable
from renewables.extract import extract
from renewables.landing import LandedFile, landed_files, remove_leftovers, remove_old

WIND = b"Entity,Code,Year,Wind (% electricity)\nNorway,NOR,2020,6.4\n"

MODIFIED = datetime.fromtimestamp(1_700_000_000, UTC)


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
    assert file.source_modified_at == MODIFIED
    assert landed_files(landing) == [file]


def test_lands_the_same_content_once(landing: Path, wind_csv: Path) -> None:
    first, _ = extract(str(wind_csv), landing)
    os.utime(wind_csv)
    second, is_new = extract(str(wind_csv), landing)
    assert not is_new
    assert second.path == first.path
    assert landed_files(landing) == [first]
    assert len(list((landing / "wind").iterdir())) == 2


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_a_content_under_two_names_counts_for_the_first_in_the_alphabet(
    landing: Path, tmp_path: Path, names: tuple[str, str]
) -> None:
    """Whichever comes first: extracts run at once."""
    for name in names:
        (tmp_path / name).write_bytes(WIND)
        os.utime(tmp_path / name, (0, 1_700_000_000 + ord(name[0])))
        extract(str(tmp_path / name), landing)
    (file,) = landed_files(landing)
    assert file.source_file == str(tmp_path / "a.csv")
    assert file.source_modified_at.timestamp() == 1_700_000_000 + ord("a")
    assert remove_old([file], 0) == [file]
    assert list((landing / "wind").iterdir()) == []


def test_reads_chunk_by_chunk(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "CHUNK_BYTES", 40)
    fsspec.filesystem("memory").pipe("/wind.csv", WIND)
    assert list(remote.chunks("memory://wind.csv")) == [WIND[:40], WIND[40:]]
    assert extract("memory://wind.csv", landing)[0].path.read_bytes() == WIND


def test_leaves_nothing_of_a_file_that_breaks_off(
    landing: Path, wind_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> object:
        yield WIND
        raise FileNotFoundError("it broke off")

    monkeypatch.setattr(remote, "chunks", break_off)
    with pytest.raises(SourceUnreachable, match="it broke off"):
        extract(str(wind_csv), landing)
    assert list(landing.iterdir()) == []


def test_a_killed_extract_leaves_nothing_that_load_sees(landing: Path, wind_csv: Path) -> None:
    script = (
        "import os, signal, sys, pathlib\n"
        "from renewables import extract, remote\n"
        "def chunks(*_):\n"
        "    yield b'Entity,Code'\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "remote.chunks = chunks\n"
        "extract.extract(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, str(wind_csv), str(landing)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert landed_files(landing) == []
    (leftover,) = landing.iterdir()
    remove_leftovers(landing)
    assert leftover.exists()
    os.utime(leftover, (0, 0))
    remove_leftovers(landing)
    assert not leftover.exists()


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_an_extract_killed_as_it_lands_a_file_is_done_again(
    landing: Path, wind_csv: Path, renames: int
) -> None:
    """The first file to get its name is the record, the second one the CSV."""
    process = extract_process(str(wind_csv), landing, renames)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(landed_files(landing)) == (renames == 2)
    file, is_new = extract(str(wind_csv), landing)
    assert is_new == (renames < 2)
    assert landed_files(landing) == [file]
    assert file.path.read_bytes() == WIND


def test_lands_a_csv_of_something_else_apart(landing: Path, tmp_path: Path) -> None:
    path = tmp_path / "coal.csv"
    path.write_text("Entity,Code,Year,Coal (% electricity)\n")
    file, _ = extract(str(path), landing)
    assert file.path.parent == landing / "unfit"
    assert landed_files(landing) == [file]


def test_unpacks_gzip(landing: Path, wind_csv: Path, tmp_path: Path) -> None:
    packed = tmp_path / "wind.csv.gz"
    packed.write_bytes(gzip.compress(WIND[:20]) + gzip.compress(WIND[20:]))
    file, _ = extract(str(packed), landing)
    assert file.path.read_bytes() == WIND
    assert extract(str(wind_csv), landing) == (
        LandedFile(file.path, str(wind_csv), MODIFIED),
        False,
    )


def test_lands_a_gzip_that_breaks_off_as_it_is(landing: Path, tmp_path: Path) -> None:
    packed = tmp_path / "wind.csv.gz"
    packed.write_bytes(gzip.compress(WIND)[:-9])
    file, _ = extract(str(packed), landing)
    assert file.path.parent.name == "unfit"
    assert file.path.read_bytes() == packed.read_bytes()
    assert sorted(path.name for path in landing.iterdir()) == ["unfit"]


def test_names_a_file_that_is_gone(landing: Path) -> None:
    with pytest.raises(SourceUnreachable, match=r"The source /gone\.csv cannot be read: .*No such"):
        extract("/gone.csv", landing)


def test_a_landed_file_needs_its_record(landing: Path, wind_csv: Path) -> None:
    file, _ = extract(str(wind_csv), landing)
    (record,) = file.path.parent.glob("*.json")
    record.write_text("{}")
    with pytest.raises(
        BrokenLanding, match=r"'source_modified_at'.*delete both and run the ingest job"
    ):
        landed_files(landing)
    record.unlink()
    with pytest.raises(
        BrokenLanding, match=r"\.csv has no record of where it came from; delete it"
    ):
        landed_files(landing)
