"""COPY INTO as it is written. https://docs.databricks.com/sql/language-manual/delta-copy-into"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sqlglot.tokenizer_core import TokenType

from local_workspace.sql.cursor import Cursor, Name
from local_workspace.sql.errors import error, unsupported

FORMATS = ("CSV", "JSON", "PARQUET")
OTHER_FORMATS = ("AVRO", "ORC", "TEXT", "BINARYFILE", "XML")
"""Of Databricks, and not of the local workspace."""
MAX_FILES = 1000
METADATA = "_metadata"

FORMAT_OPTIONS = {
    "CSV": {
        "header": "header",
        "inferschema": "inferSchema",
        "sep": "delimiter",
        "delimiter": "delimiter",
        "quote": "quote",
        "escape": "escape",
        "nullvalue": "nullValue",
        "comment": "comment",
        "linesep": "lineSep",
        "multiline": "multiLine",
        "compression": "compression",
    },
    "JSON": {"compression": "compression"},
    "PARQUET": {},
}
"""Options of the reader, lower-cased, as the Spark engine has them."""

OWN_OPTIONS = ("mergeschema", "recursivefilelookup", "pathglobfilter", "mode", "encoding")
"""Of every format; what they ask for is done without the engine's reader."""

COPY_OPTIONS = ("force", "mergeschema")


@dataclass(frozen=True)
class Select:
    """`expressions` is the text of the list; `has_star` tells whether a `*` in it stands for all columns."""

    expressions: str
    has_star: bool
    reads_metadata: bool


@dataclass(frozen=True)
class CopyInto:
    """Options have lower-cased names; `validate` is None, "ALL" or a number of rows."""

    table: Name
    source: str
    file_format: str
    columns: tuple[str, ...] | None = None
    by_position: bool = False
    select: Select | None = None
    validate: int | Literal["ALL"] | None = None
    files: list[str] | None = None
    pattern: str | None = None
    reader_options: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    force: bool = False
    merge_schema: bool = False


def parse_copy_into(cursor: Cursor) -> CopyInto:
    """What follows `COPY INTO`; SqlError for what Databricks or the local workspace refuses."""
    table = cursor.name(3)
    by_position = cursor.accept("BY", "POSITION")
    columns = None if by_position else _columns(cursor)
    cursor.expect("FROM")
    select, source = _source(cursor)
    cursor.expect("FILEFORMAT", "=")
    file_format = _file_format(cursor)
    clauses = _clauses(cursor)
    copy_options = _copy_options(clauses.copy_options)
    reader_options, options = _format_options(file_format, clauses.format_options)
    if (by_position or columns) and (file_format != "CSV" or _is_true(options, "header")):
        raise unsupported(
            "COPY INTO by position from files that have column names",
            "use it with CSV files without header, or name the columns in a SELECT",
        )
    return CopyInto(
        table=table,
        source=source,
        file_format=file_format,
        columns=columns,
        by_position=by_position or columns is not None,
        select=select,
        validate=clauses.validate,
        files=clauses.files,
        pattern=clauses.pattern,
        reader_options=reader_options,
        options=options,
        force=_is_true(copy_options, "force"),
        merge_schema=_is_true(copy_options, "mergeschema"),
    )


@dataclass
class _Clauses:
    validate: int | Literal["ALL"] | None = None
    files: list[str] | None = None
    pattern: str | None = None
    format_options: dict[str, str] = field(default_factory=dict)
    copy_options: dict[str, str] = field(default_factory=dict)


def _clauses(cursor: Cursor) -> _Clauses:
    clauses = _Clauses()
    while cursor.token is not None:
        if cursor.accept("VALIDATE"):
            clauses.validate = _validate(cursor)
        elif cursor.accept("FILES", "="):
            clauses.files = _files(cursor)
        elif cursor.accept("PATTERN", "="):
            clauses.pattern = cursor.string()
        elif cursor.accept("FORMAT_OPTIONS"):
            clauses.format_options = cursor.options()
        elif cursor.accept("COPY_OPTIONS"):
            clauses.copy_options = cursor.options()
        else:
            raise cursor.error()
    if clauses.files is not None and clauses.pattern is not None:
        raise error("COPY_INTO_SYNTAX_ERROR", "FILES and PATTERN exclude each other.", "42601")
    return clauses


def _columns(cursor: Cursor) -> tuple[str, ...] | None:
    if not cursor.accept("("):
        return None
    names = [cursor.part()]
    while cursor.accept(","):
        names.append(cursor.part())
    cursor.expect(")")
    return tuple(names)


def _source(cursor: Cursor) -> tuple[Select | None, str]:
    if not cursor.accept("("):
        source = cursor.string()
        _refuse_credential(cursor)
        return None, source
    cursor.expect("SELECT")
    select = _select(cursor)
    source = cursor.string()
    _refuse_credential(cursor)
    cursor.expect(")")
    return select, source


def _select(cursor: Cursor) -> Select:
    """The expressions up to the FROM that is in no parentheses."""
    start, depth, has_star, reads_metadata = cursor.index, 0, False, False
    while cursor.token is not None and (depth or not cursor.accept("FROM")):
        token = cursor.token
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth < 0:
            break
        has_star = has_star or (depth == 0 and _is_star(cursor, start))
        reads_metadata = reads_metadata or token.text.lower() == METADATA
        cursor.index += 1
    if cursor.token is None or depth or cursor.index == start + 1:
        raise cursor.error()
    return Select(cursor.text(start, cursor.index - 1), has_star, reads_metadata)


def _is_star(cursor: Cursor, start: int) -> bool:
    """Whether an item of the list starts at the cursor, and is a star: elsewhere it multiplies."""
    previous = cursor.tokens[cursor.index - 1]
    is_item = cursor.index == start or previous.token_type is TokenType.COMMA
    return is_item and cursor.tokens[cursor.index].token_type is TokenType.STAR


def _refuse_credential(cursor: Cursor) -> None:
    if cursor.accept("WITH"):
        raise unsupported(
            "COPY INTO with a credential or encryption", "copy from a path below /Volumes"
        )


def _file_format(cursor: Cursor) -> str:
    name = cursor.part().upper()
    if name in OTHER_FORMATS:
        raise unsupported(f"COPY INTO from {name} files", f"use one of {', '.join(FORMATS)}")
    if name not in FORMATS:
        message = (
            "The format of the source files must be one of CSV, JSON, AVRO, ORC, PARQUET, TEXT, "
            f"or BINARYFILE, got {name}."
        )
        raise error("COPY_INTO_SOURCE_FILE_FORMAT_NOT_SUPPORTED", message, "0A000")
    return name


def _validate(cursor: Cursor) -> int | Literal["ALL"]:
    if cursor.accept("ALL") or cursor.token is None or not cursor.token.text.isdecimal():
        return "ALL"
    rows = cursor.integer()
    cursor.expect("ROWS")
    if rows < 1:
        message = f"VALIDATE takes a positive number of rows, got {rows}."
        raise error("COPY_INTO_SYNTAX_ERROR.VALIDATE_INVALID_ROWS", message, "42601")
    return rows


def _files(cursor: Cursor) -> list[str]:
    files = cursor.strings()
    if len(files) > MAX_FILES:
        message = f"FILES takes at most {MAX_FILES} names, got {len(files)}; use PATTERN."
        raise error("COPY_INTO_SYNTAX_ERROR", message, "42601")
    return files


def _copy_options(given: dict[str, str]) -> dict[str, str]:
    options = {name.lower(): value for name, value in given.items()}
    for name in given:
        if name.lower() not in COPY_OPTIONS:
            raise unsupported(f"the COPY INTO option '{name}'", "use force and mergeSchema")
    return options


def _format_options(
    file_format: str, given: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What the engine's reader is given, and all options by their lower-cased names."""
    known = FORMAT_OPTIONS[file_format]
    options = {name.lower(): value for name, value in given.items()}
    for name, value in options.items():
        if name not in known and name not in OWN_OPTIONS:
            supported = ", ".join(sorted({*known, *OWN_OPTIONS}))
            raise unsupported(
                f"the {file_format} option '{name}' of COPY INTO", f"there are {supported}"
            )
        # The engine stops at a row that it cannot read, and reads UTF-8.
        only = {"mode": "FAILFAST", "encoding": "UTF-8"}.get(name)
        if only and value.upper() != only:
            raise unsupported(f"the option {name} = '{value}' of COPY INTO", f"use '{only}'")
    reader = {known[name]: value for name, value in options.items() if name in known}
    return reader, options


def _is_true(options: dict[str, str], name: str) -> bool:
    value = options.get(name, "false").lower()
    if value not in ("true", "false"):
        message = f"The option {name} must be 'true' or 'false', got '{value}'."
        raise error("COPY_INTO_SYNTAX_ERROR", message, "42601")
    return value == "true"
