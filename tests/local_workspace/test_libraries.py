"""Installing a task's libraries: wheels by unpacking, what is missing through uv, in a process of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import zipfile
from asyncio import AbstractEventLoop
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from serving import event_loop
from support.waiting import PATIENCE, wait_until

from local_workspace.execution.libraries import Libraries, LibraryError
from local_workspace.execution.library_set import LibrarySet
from local_workspace.execution.processes import TaskProcesses
from local_workspace.runtime import installer
from local_workspace.runtime.wheel import Wheel
from local_workspace.settings import StateDir

UV = """#!/bin/sh
echo $$ >> {hold}.pids
while [ -e {hold} ]; do sleep 0.01; done
exec {uv} "$@"
"""
"""uv, which waits while the file `hold` is there and leaves its process id beside it."""


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


def library_set(wheels: Sequence[Path], requirements: Sequence[str]) -> LibrarySet:
    wanted = LibrarySet(Path("/"))
    wanted.wheels += [Wheel(wheel) for wheel in wheels]
    wanted.requirements += requirements
    return wanted


class Installer:
    """Libraries of one test in an empty folder, on the module's process server."""

    def __init__(self, processes: TaskProcesses, loop: AbstractEventLoop, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.libraries = Libraries(folder, processes)
        self._loop = loop

    def wait[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def ensure(self, wheels: Sequence[Path], requirements: Sequence[str] = ()) -> Path:
        return Path(self.wait(self.libraries.ensure(library_set(wheels, requirements))))


@dataclass
class Server:
    """A server of processes whose only index is the folder `index`."""

    processes: TaskProcesses
    loop: AbstractEventLoop
    root: Path

    @property
    def index(self) -> Path:
        return self.root / "index"

    @contextmanager
    def held_uv(self) -> Iterator[None]:
        """uv starts and does nothing."""
        (self.root / "hold").touch()
        yield
        (self.root / "hold").unlink()

    def uv_pids(self) -> list[int]:
        """Of all that were started so far."""
        pids = self.root / "hold.pids"
        return [int(pid) for pid in pids.read_text().split()] if pids.exists() else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("libraries")
    for folder in ("index", "bin"):
        (root / folder).mkdir()
    uv = os.environ.get("UV") or shutil.which("uv")
    (root / "bin" / "uv").write_text(UV.format(uv=uv, hold=root / "hold"))
    (root / "bin" / "uv").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch, event_loop() as loop:
        # Offline and with an empty cache, uv can know no other package.
        patch.setenv("UV_OFFLINE", "1")
        patch.setenv("UV_CACHE_DIR", str(root / "cache"))
        patch.setenv("UV_FIND_LINKS", str(root / "index"))
        patch.setenv("UV", str(root / "bin" / "uv"))
        processes = TaskProcesses(StateDir(root), preload=())
        asyncio.run_coroutine_threadsafe(processes.start(), loop).result()
        yield Server(processes, loop, root)
        asyncio.run_coroutine_threadsafe(processes.stop(), loop).result()


@pytest.fixture
def libraries(server: Server, tmp_path: Path) -> Installer:
    return Installer(server.processes, server.loop, tmp_path / "libraries")


def modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")}


def test_a_wheel_whose_requirements_are_there_needs_no_uv(
    libraries: Installer, server: Server, tmp_path: Path
) -> None:
    before = server.uv_pids()
    requires = ["pandas>=2", "requests[socks] ; python_version < '3'", "nothing ; extra == 'all'"]
    folder = libraries.ensure([build_wheel(tmp_path, "plain", requires=requires, source="x = 1")])
    assert modules(folder) == {"plain"}
    assert (folder / "plain-1.0.dist-info" / "METADATA").exists()
    assert server.uv_pids() == before


def test_a_set_is_installed_once_by_its_content(libraries: Installer, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain", source="x = 1")
    first = libraries.ensure([wheel])
    (first / "marker").touch()
    assert (libraries.ensure([wheel]) / "marker").exists()
    build_wheel(tmp_path, "plain", source="x = 2")
    second = libraries.ensure([wheel])
    assert second != first
    assert (second / "plain.py").read_text() == "x = 2"


def test_the_same_set_at_once_is_installed_once(libraries: Installer, server: Server) -> None:
    build_wheel(server.index, "popular")
    before = len(server.uv_pids())

    async def ask_ten_times() -> list[str]:
        each = (libraries.libraries.ensure(library_set([], ["popular"])) for _ in range(10))
        return await asyncio.gather(*each)

    assert len(set(libraries.wait(ask_ten_times()))) == 1
    assert len(server.uv_pids()) == before + 1
    assert len(list(libraries.folder.iterdir())) == 1


def test_missing_requirements_come_with_what_they_need(
    libraries: Installer, server: Server, tmp_path: Path
) -> None:
    build_wheel(server.index, "direct", requires=["indirect", "pandas>=2"])
    build_wheel(server.index, "indirect")
    build_wheel(server.index, "listed")
    wheel = build_wheel(tmp_path, "plain", requires=["direct"])
    folder = libraries.ensure([wheel], ["listed", "PyYAML"])
    assert modules(folder) == {"plain", "direct", "indirect", "listed"}


def test_what_the_runtime_has_is_not_replaced(libraries: Installer, server: Server) -> None:
    build_wheel(server.index, "greedy", requires=["pandas>=99"])
    for requirement in ("pandas>=99", "greedy"):
        with pytest.raises(
            LibraryError, match="pandas>=99 is required, but the runtime has pandas"
        ):
            libraries.ensure([], [requirement])
    assert list(libraries.folder.iterdir()) == []


def test_giving_up_an_installation_ends_uv_and_leaves_nothing(
    libraries: Installer, server: Server
) -> None:
    before = len(server.uv_pids())

    async def start() -> asyncio.Task[str]:
        return asyncio.create_task(libraries.libraries.ensure(library_set([], ["absent"])))

    async def give_up(installing: asyncio.Task[str]) -> None:
        installing.cancel()
        await asyncio.wait([installing])

    with server.held_uv():
        installing = libraries.wait(start())
        wait_until(lambda: len(server.uv_pids()) > before, "the start of uv")
        libraries.wait(give_up(installing))
    wait_until(lambda: not psutil.pid_exists(server.uv_pids()[-1]), "the end of uv")
    assert list(libraries.folder.iterdir()) == []


INSTALLING = """
import asyncio, sys
from pathlib import Path
from local_workspace.execution.libraries import Libraries
from local_workspace.execution.library_set import LibrarySet
from local_workspace.execution.processes import TaskProcesses
from local_workspace.settings import StateDir

wanted, root = LibrarySet(Path("/")), Path(sys.argv[1])
wanted.requirements.append("absent")
asyncio.run(Libraries(root, TaskProcesses(StateDir(root), preload=())).ensure(wanted))
"""


def test_no_installation_outlives_a_workspace_that_is_killed(
    server: Server, tmp_path: Path
) -> None:
    before = len(server.uv_pids())
    with (
        server.held_uv(),
        subprocess.Popen([sys.executable, "-c", INSTALLING, tmp_path]) as workspace,
    ):
        wait_until(lambda: len(server.uv_pids()) > before, "the start of uv")
        workspace.kill()
        wait_until(lambda: not psutil.pid_exists(server.uv_pids()[-1]), "the end of uv")
    assert [path.name[:12] for path in tmp_path.iterdir()] == [".installing-"]
    Libraries(tmp_path, server.processes).remove_leftovers()
    assert list(tmp_path.iterdir()) == []


def test_wheels_of_a_set_may_need_one_another(libraries: Installer, tmp_path: Path) -> None:
    wheels = [build_wheel(tmp_path, "app", requires=["base"]), build_wheel(tmp_path, "base")]
    assert modules(libraries.ensure(wheels)) == {"app", "base"}


def test_packages_in_a_wheels_data_folder(libraries: Installer, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("plain-1.0.data/purelib/extra.py", "")
        archive.writestr("plain-1.0.data/scripts/run", "")
    folder = libraries.ensure([wheel])
    assert modules(folder) == {"plain", "extra"}
    assert not (folder / "plain-1.0.data").exists()


def test_a_requirement_that_no_index_has(libraries: Installer, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "plain", requires=["absent>=2"])
    with pytest.raises(LibraryError, match="absent was not found"):
        libraries.ensure([wheel])
    assert list((tmp_path / "libraries").iterdir()) == []


def test_uv_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LibraryError, match="uv is not on PATH"):
        installer.install([], ["absent"], [], tmp_path)


@pytest.mark.parametrize("member", ["../outside.py", "/outside.py", "a/../../outside.py"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(
    libraries: Installer, tmp_path: Path, member: str
) -> None:
    wheel = build_wheel(tmp_path, "plain")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(member, "")
    with pytest.raises(LibraryError, match="has an unsafe member"):
        libraries.ensure([wheel])
    assert list((tmp_path / "libraries").iterdir()) == []


def test_what_is_no_wheel_for_this_python(libraries: Installer, tmp_path: Path) -> None:
    other = build_wheel(tmp_path, "plain", tag="cp27-none-win32")
    with pytest.raises(LibraryError, match="is for cp27-none-win32 and not for this machine"):
        libraries.ensure([other])
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_text("no zip file")
    with pytest.raises(LibraryError, match="cannot be read as a wheel: File is not a zip file"):
        libraries.ensure([broken])
    with pytest.raises(LibraryError, match="'no good!' is not a requirement"):
        libraries.ensure([], ["no good!"])
