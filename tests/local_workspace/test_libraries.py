"""Installing a task's libraries: wheels by unpacking, what is missing through uv."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from local_workspace.execution.libraries import Libraries, LibraryError


def build_wheel(
    folder: Path,
    name: str,
    *,
    requires: Sequence[str] = (),
    source: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """A wheel of one module."""
    wheel = folder / f"{name}-1.0-{tag}.whl"
    headers = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    headers += [f"Requires-Dist: {requirement}" for requirement in requires]
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(f"{info}/METADATA", "\n".join(headers))
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return wheel


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Libraries:
    """Where the only index is the folder `index`."""
    for folder in ("index", "libraries"):
        (tmp_path / folder).mkdir()
    # Offline and with an empty cache, uv can know no other package.
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "index"))
    return Libraries(tmp_path / "libraries")


def ensure(libraries: Libraries, wheels: Sequence[Path], requirements: Sequence[str] = ()) -> Path:
    (folder,) = asyncio.run(libraries.ensure(wheels, requirements))
    return Path(folder)


def modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")}


def test_a_wheel_whose_requirements_are_there_needs_no_uv(
    libraries: Libraries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV", os.devnull)
    requires = ["pandas>=2", "requests[socks] ; python_version < '3'", "nothing ; extra == 'all'"]
    folder = ensure(libraries, [build_wheel(tmp_path, "plain", requires=requires, source="x = 1")])
    assert modules(folder) == {"plain"}
    assert (folder / "plain-1.0.dist-info" / "METADATA").exists()


def test_a_set_is_installed_once_by_its_content(libraries: Libraries, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain", source="x = 1")
    first = ensure(libraries, [wheel])
    (first / "marker").touch()
    assert (ensure(libraries, [wheel]) / "marker").exists()
    build_wheel(tmp_path, "plain", source="x = 2")
    second = ensure(libraries, [wheel])
    assert second != first
    assert (second / "plain.py").read_text() == "x = 2"


def test_the_same_set_at_once_is_installed_once(libraries: Libraries, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain")

    async def ask_ten_times() -> list[list[str]]:
        return await asyncio.gather(*(libraries.ensure([wheel], []) for _ in range(10)))

    folders = asyncio.run(ask_ten_times())
    assert len({folder for (folder,) in folders}) == 1
    assert len(list((tmp_path / "libraries").iterdir())) == 1


def test_missing_requirements_come_with_what_they_need(
    libraries: Libraries, tmp_path: Path
) -> None:
    build_wheel(tmp_path / "index", "direct", requires=["indirect", "pandas>=2"])
    build_wheel(tmp_path / "index", "indirect")
    build_wheel(tmp_path / "index", "listed")
    wheel = build_wheel(tmp_path, "plain", requires=["direct"])
    folder = ensure(libraries, [wheel], ["listed", "PyYAML"])
    assert modules(folder) == {"plain", "direct", "indirect", "listed"}


def test_what_the_runtime_has_is_not_replaced(libraries: Libraries, tmp_path: Path) -> None:
    build_wheel(tmp_path / "index", "direct", requires=["pandas>=99"])
    for requirement in ("pandas>=99", "direct"):
        with pytest.raises(
            LibraryError, match="pandas>=99 is required, but the runtime has pandas"
        ):
            ensure(libraries, [], [requirement])
    assert list((tmp_path / "libraries").iterdir()) == []


def test_wheels_of_a_set_may_need_one_another(libraries: Libraries, tmp_path: Path) -> None:
    wheels = [build_wheel(tmp_path, "app", requires=["base"]), build_wheel(tmp_path, "base")]
    assert modules(ensure(libraries, wheels)) == {"app", "base"}


def test_packages_in_a_wheels_data_folder(libraries: Libraries, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("plain-1.0.data/purelib/extra.py", "")
        archive.writestr("plain-1.0.data/scripts/run", "")
    folder = ensure(libraries, [wheel])
    assert modules(folder) == {"plain", "extra"}
    assert not (folder / "plain-1.0.data").exists()


def test_a_requirement_that_no_index_has(libraries: Libraries, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain", requires=["absent>=2"])
    with pytest.raises(LibraryError, match="absent was not found"):
        ensure(libraries, [wheel])
    assert list((tmp_path / "libraries").iterdir()) == []


def test_uv_is_not_there(
    libraries: Libraries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LibraryError, match="uv is not on PATH"):
        ensure(libraries, [], ["absent"])


@pytest.mark.parametrize("member", ["../outside.py", "/outside.py", "a/../../outside.py"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(
    libraries: Libraries, tmp_path: Path, member: str
) -> None:
    wheel = build_wheel(tmp_path, "plain")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(member, "")
    with pytest.raises(LibraryError, match="has an unsafe member"):
        ensure(libraries, [wheel])
    assert list((tmp_path / "libraries").iterdir()) == []


def test_what_is_no_wheel_for_this_python(libraries: Libraries, tmp_path: Path) -> None:
    other = build_wheel(tmp_path, "plain", tag="cp27-none-win32")
    with pytest.raises(LibraryError, match="is for cp27-none-win32 and not for this machine"):
        ensure(libraries, [other])
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_text("no zip file")
    with pytest.raises(LibraryError, match="cannot be read as a wheel: File is not a zip file"):
        ensure(libraries, [broken])
    with pytest.raises(LibraryError, match="'no good!' is not a requirement"):
        ensure(libraries, [], ["no good!"])
