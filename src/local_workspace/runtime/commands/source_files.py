"""Which files a COPY INTO loads: those directly in its folder, or those that FILES or PATTERN name.

https://docs.databricks.com/sql/language-manual/delta-copy-into
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from local_workspace.runtime.commands.context import Context, VolumePath
from local_workspace.sql.conditions import no_such_path
from local_workspace.sql.copy_into import CopyInto
from local_workspace.sql.errors import SqlError, error, unsupported

_HIDDEN = ("_", ".")
_GLOB = {"*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}


def source_files(context: Context, copy: CopyInto) -> list[VolumePath]:
    """The files in the order of their names; SqlError where there are none."""
    source = context.volume_path(copy.source)
    if source.local.is_file():
        found = [source]
    elif copy.files is not None:
        found = [_named(source, name) for name in copy.files]
    else:
        found = list(_matching(source, copy))
    if not found:
        raise _nothing_found(copy)
    return found


def _named(source: VolumePath, name: str) -> VolumePath:
    file = source.child("/".join(part for part in name.split("/") if part))
    if not file.local.is_file():
        raise no_such_path(file.path)
    return file


def _matching(source: VolumePath, copy: CopyInto) -> Iterator[VolumePath]:
    if not source.local.is_dir():
        raise no_such_path(copy.source)
    pattern = _expression(copy.pattern) if copy.pattern else None
    name_pattern = _expression(copy.options.get("pathglobfilter", "*"))
    is_deep = copy.options.get("recursivefilelookup", "false").lower() == "true" or pattern
    for relative in _below(source.local, deep=bool(is_deep)):
        name = relative.rpartition("/")[2]
        if name_pattern.fullmatch(name) and (pattern is None or pattern.fullmatch(relative)):
            yield source.child(relative)


def _below(folder: Path, *, deep: bool) -> list[str]:
    """The files of a folder by their paths relative to it, without hidden ones."""
    found = []
    for path in folder.rglob("*") if deep else folder.iterdir():
        relative = path.relative_to(folder)
        if any(part.startswith(_HIDDEN) and "=" not in part for part in relative.parts):
            continue
        if path.is_dir() and not deep and "=" in path.name:
            raise unsupported(
                f"COPY INTO from partition folders ({path.name})", "set recursiveFileLookup"
            )
        if path.is_file():
            found.append(str(relative))
    return sorted(found)


def _expression(glob: str) -> re.Pattern[str]:
    """A glob of Hadoop: `*` and `?` do not match `/`; `[ab]`, `[^a]` and `{a,b}` are alternatives."""
    text, depth = "", 0
    pieces = re.findall(r"\\.|\[[^\]]+\]|.", glob, re.DOTALL)
    for piece in pieces:
        depth += {"{": 1, "}": -1}.get(piece, 0)
        if piece in _GLOB and (piece != "," or depth):
            text += _GLOB[piece]
        else:
            text += piece if piece[0] in "[\\" and len(piece) > 1 else re.escape(piece)
    try:
        return re.compile(text, re.DOTALL)
    except re.error as bad:
        message = f"'{glob}' is not a valid glob pattern: {bad}."
        raise error("COPY_INTO_SYNTAX_ERROR", message, "42601") from bad


def _nothing_found(copy: CopyInto) -> SqlError:
    message = (
        f"The source directory did not contain any parsable files of type {copy.file_format}. "
        f"Please check the contents of '{copy.source}'."
    )
    return error("COPY_INTO_SOURCE_SCHEMA_INFERENCE_FAILED", message, "42KD9")
