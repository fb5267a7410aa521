from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import fsspec
import pytest
from packaging.requirements import Requirement

from renewables.discover import discover
from renewables.drivers import DRIVERS
from renewables.errors import CredentialsInUri, MissingDriver, NoSourceFiles, SourceUnreachable


def test_lists_the_csvs_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.csv", "A.CSV", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "c.csv").touch()
    assert discover(str(tmp_path)) == [f"{tmp_path}/A.CSV", f"{tmp_path}/b.csv"]


def test_gives_one_address_however_a_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").touch()
    monkeypatch.chdir(tmp_path)
    for uri in (".", f"{tmp_path}/", f"../{tmp_path.name}", "a.csv"):
        assert discover(uri) == [f"{tmp_path}/a.csv"]


def test_takes_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "a b[1].csv").touch()
    assert discover(f"{tmp_path}/a b[1].csv") == [f"{tmp_path}/a b[1].csv"]


def test_gives_urls_for_a_url() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/owid/wind.csv", b"")
    assert discover("memory://owid/") == ["memory://owid/wind.csv"]
    assert discover("memory://owid/wind.csv") == ["memory://owid/wind.csv"]


def test_takes_several_as_a_json_array(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv.gz").touch()
    uris = [f"{tmp_path}/b.csv.gz", str(tmp_path)]
    assert discover(json.dumps(uris)) == [f"{tmp_path}/b.csv.gz", f"{tmp_path}/a.csv"]


def test_names_a_source_without_csv(tmp_path: Path) -> None:
    with pytest.raises(NoSourceFiles, match=f"No CSV file at {tmp_path}: set source_uri to"):
        discover(str(tmp_path))


@pytest.mark.parametrize(
    "uri",
    [
        "https://me:hunter2@example.org/owid",
        "https://hunter2@example.org/owid",
        "https://example.org/owid/wind.csv?sv=2022&sig=hunter2",
        "https://example.org/owid/wind.csv?X-Amz-Signature=hunter2",
        "abfss://owid:hunter2@example.org/csv",
    ],
)
def test_refuses_credentials_in_the_uri(uri: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CredentialsInUri) as error:
        discover(json.dumps([uri]))
    assert "The source URL of example.org holds credentials" in str(error.value)
    assert "hunter2" not in f"{error.value}{capfd.readouterr()}"


@pytest.mark.parametrize(
    ("uri", "package", "extra"),
    [
        ("s3://owid/csv", "s3fs", "s3"),
        ("abfss://owid@account.dfs.core.windows.net/csv", "adlfs", "azure"),
        ("az://owid/csv", "adlfs", "azure"),
        ("gs://owid/csv/wind.csv", "gcsfs", "gcs"),
    ],
)
def test_names_the_package_that_a_source_needs(
    monkeypatch: pytest.MonkeyPatch, uri: str, package: str, extra: str
) -> None:
    monkeypatch.setattr("renewables.drivers.find_spec", lambda _: None)
    with pytest.raises(
        MissingDriver, match=f"needs the Python package {package}, which is"
    ) as error:
        discover(uri)
    assert str(error.value).endswith(f"install renewables[{extra}].")


def test_the_wheel_has_an_extra_for_each_driver() -> None:
    required = [Requirement(line) for line in importlib.metadata.requires("renewables") or ()]
    for driver in DRIVERS.values():
        assert any(
            one.name == driver.package
            and one.marker
            and one.marker.evaluate({"extra": driver.extra})
            for one in required
        )


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
