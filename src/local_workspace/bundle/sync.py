"""Which files of a bundle go to the workspace, and getting them there.

The Databricks CLI's rule: everything below the bundle's root that .gitignore does not exclude.
https://docs.databricks.com/en/dev-tools/bundles/settings.html#sync
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pathspec import GitIgnoreSpec

from local_workspace.bundle import git
from local_workspace.bundle.remote import RemoteFolder
from local_workspace.bundle.state import UploadState
from local_workspace.store import notebooks

_NEVER = (".git", ".databricks")
_WORKERS = 8


def list_files(root: Path, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> list[str]:
    """The files to upload, relative to `root`, sorted; `include` wins over .gitignore, `exclude` over all."""
    found = set(_not_ignored(root))
    included = GitIgnoreSpec.from_lines(include)
    if included.patterns:
        found |= {path for path in _walk(root) if included.match_file(path)}
    excluded = GitIgnoreSpec.from_lines(exclude)
    return sorted(
        path
        for path in found
        if not excluded.match_file(path)
        and path.split("/")[0] not in _NEVER
        and (root / path).is_file()
        and not (root / path).is_symlink()
    )


def hash_files(root: Path, files: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each file's content by its path."""
    hashes = {}
    for path in files:
        with (root / path).open("rb") as file:
            hashes[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def upload_files(
    root: Path,
    hashes: dict[str, str],
    known: UploadState,
    target: RemoteFolder,
    save: Callable[[], None],
) -> int:
    """Bring `target` in line with the local files; the number of changed or deleted ones.

    `known` is brought up to date, and saved before the first change too: after a crash no file that may be half-way
    counts as uploaded.
    """
    changed = [path for path, digest in hashes.items() if known.files.get(path) != digest]
    deleted = [path for path in known.files if path not in hashes]
    if not changed and not deleted:
        return 0
    known.files |= dict.fromkeys(changed)
    save()
    for path in deleted:
        target.delete(_remote_name(path, path in known.notebooks))
        del known.files[path]
    _upload(root, changed, target)
    known.files |= {path: hashes[path] for path in changed}
    kept = known.notebooks - {*changed, *deleted}
    known.notebooks = kept | {path for path in changed if _is_notebook(root, path)}
    return len(changed) + len(deleted)


def upload_libraries(
    libraries: list[Path], known: UploadState, target: RemoteFolder, save: Callable[[], None]
) -> int:
    """Upload built files under their own names, if one has changed; the number of uploaded ones.

    `known` as in `upload_files`.
    """
    hashes = {
        path.name: digest
        for path in libraries
        for digest in hash_files(path.parent, [path.name]).values()
    }
    if hashes == known.libraries:
        return 0
    known.libraries = {}
    save()
    target.delete(".", recursive=True)
    target.make()
    for path in libraries:
        target.write(path.name, path.read_bytes())
    known.libraries = hashes
    return len(libraries)


def _upload(root: Path, files: list[str], target: RemoteFolder) -> None:
    folders = {posixpath.dirname(path) for path in files}
    with ThreadPoolExecutor(_WORKERS) as pool:
        # list() because a failure in a thread is raised only where its result is read.
        list(pool.map(lambda folder: target.make(folder or "."), sorted(folders)))
        list(pool.map(lambda path: target.write(path, (root / path).read_bytes()), files))


def _remote_name(path: str, is_notebook: bool) -> str:
    return notebooks.without_extension(path) if is_notebook else path


def _is_notebook(root: Path, path: str) -> bool:
    return notebooks.detect_language(path, root / path) is not None


def _not_ignored(root: Path) -> Iterator[str]:
    listed = git.run(root, "ls-files", "-z", "-co", "--exclude-standard")
    if listed is not None:
        yield from (path for path in listed.split("\0") if path)
        return
    ignore = root / ".gitignore"
    spec = GitIgnoreSpec.from_lines(ignore.read_text().splitlines() if ignore.exists() else [])
    yield from (path for path in _walk(root, spec) if not spec.match_file(path))


def _walk(root: Path, ignored: GitIgnoreSpec | None = None) -> Iterator[str]:
    """All files, without those of ignored folders: an environment has thousands."""
    for folder, folders, files in root.walk():
        inside = folder.relative_to(root)
        folders[:] = [
            name
            for name in folders
            if name not in _NEVER
            and not (ignored and ignored.match_file(f"{(inside / name).as_posix()}/"))
        ]
        yield from ((inside / name).as_posix() for name in files)
