"""What Sail says when a statement fails, as Databricks says it: error class, message and SQLSTATE.

https://docs.databricks.com/error-messages/error-classes
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from local_workspace.reason import reason
from local_workspace.sql import conditions
from local_workspace.sql.command_parser import created_table
from local_workspace.sql.errors import SqlError, error, syntax_error, unsupported
from local_workspace.sql.identifiers import quote

_CLASSED = re.compile(r"\[(?P<name>[A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\] (?P<text>.*)", re.DOTALL)
_RAISES = re.compile(r"\b(raise_error|assert_true)\s*\(", re.IGNORECASE)
"""Sail passes on what these functions were told to say, and nothing else."""
_EXISTS = re.compile(r"already exists|Failed to create table: .*409 Conflict")
_STATES = {
    "CAST_INVALID_INPUT": "22018",
    "UNRESOLVED_COLUMN": "42703",
    "DELTA_NOT_NULL_CONSTRAINT_VIOLATED": "23502",
    "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES": "23001",
    "DELTA_FAILED_TO_MERGE_FIELDS": "22005",
    "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE": "21506",
}
"""Of classes that Sail names itself."""

_TYPES = {
    "Int8": "TINYINT",
    "Int16": "SMALLINT",
    "Int32": "INT",
    "Int64": "BIGINT",
    "Float32": "FLOAT",
    "Float64": "DOUBLE",
    "Date32": "DATE",
    "Boolean": "BOOLEAN",
    "Utf8": "STRING",
}


def translate(message: str, statement: str) -> SqlError:
    """The error for the engine's `message`; one that is not known is passed on as it is."""
    for pattern, make in _KNOWN:
        if match := pattern.search(message):
            return make(match, statement)
    line = reason(message)
    if classed := _CLASSED.search(line):
        name = classed["name"]
        state = _STATES.get(name)
        return error(name, classed["text"], state) if state else SqlError(classed[0])
    if _RAISES.search(statement):
        return error("USER_RAISED_EXCEPTION", line, "P0001")
    return SqlError(line)


def says_table_exists(message: str) -> bool:
    """Return whether the engine did not create a table because there is one of that name."""
    return _EXISTS.search(message) is not None


def _syntax(match: re.Match[str], statement: str) -> SqlError:
    if match["near"] is None:
        return syntax_error(None, statement, len(statement))
    return syntax_error(match["near"], statement, int(match["start"]))


def _no_such_column(match: re.Match[str], _: str) -> SqlError:
    name = ".".join(f"`{part}`" for part in re.findall(r'Identifier\("([^"]*)"\)', match[0]))
    message = f"A column, variable, or function parameter with name {name} cannot be resolved."
    return error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", message, "42703")


def _no_such_routine(match: re.Match[str], _: str) -> SqlError:
    message = (
        f"Cannot resolve routine `{match['name']}` on search path [`system`.`builtin`, "
        "`system`.`session`]."
    )
    return error("UNRESOLVED_ROUTINE", message, "42883")


def _no_such_table(match: re.Match[str], _: str) -> SqlError:
    return conditions.no_such_table(_quoted(match["name"]))


def _table_exists(match: re.Match[str], _: str) -> SqlError:
    return conditions.table_exists(_quoted(match["name"]))


def _table_created_meanwhile(_: re.Match[str], statement: str) -> SqlError:
    return conditions.table_exists(".".join(map(quote, created_table(statement) or ())))


def _no_such_catalog(match: re.Match[str], _: str) -> SqlError:
    return conditions.no_such_catalog(match["name"])


def _no_such_schema(match: re.Match[str], _: str) -> SqlError:
    return conditions.no_such_schema(_quoted(match["name"]))


def _quoted(name: str) -> str:
    """The dotted name, as it is in a message or percent-encoded in a URL, with its parts quoted."""
    return ".".join(quote(part.strip("`")) for part in unquote(name).split("."))


def _division_by_zero(_: re.Match[str], __: str) -> SqlError:
    message = (
        "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If "
        'necessary set "ansi_mode" to "false" to bypass this error.'
    )
    return error("DIVIDE_BY_ZERO", message, "22012")


def _bad_cast(match: re.Match[str], _: str) -> SqlError:
    target = _TYPES.get(match["type"], match["type"])
    message = (
        f'The value \'{match["value"]}\' of the type "STRING" cannot be cast to "{target}" because it '
        "is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` "
        "to tolerate malformed input and return NULL instead."
    )
    return error("CAST_INVALID_INPUT", message, "22018")


def _cast_overflow(match: re.Match[str], _: str) -> SqlError:
    target = _TYPES.get(match["type"], match["type"])
    message = (
        f'The value {match["value"]} cannot be cast to "{target}" due to an overflow. Use `try_cast` '
        "to tolerate overflow and return NULL instead."
    )
    return error("CAST_OVERFLOW", message, "22003")


def _arity(match: re.Match[str], _: str) -> SqlError:
    given, wanted = int(match["given"]), int(match["wanted"])
    kind = "NOT_ENOUGH_DATA_COLUMNS" if given < wanted else "TOO_MANY_DATA_COLUMNS"
    message = (
        f"Cannot write to the table, the reason is {kind.lower().replace('_', ' ')}: the query has "
        f"{given} columns, the table {wanted}."
    )
    return error(f"INSERT_COLUMN_ARITY_MISMATCH.{kind}", message, "21S01")


def _missing_value(match: re.Match[str], _: str) -> SqlError:
    return unsupported(f"an INSERT without a value for {match['name']}", "name every column")


def _named_as_a_catalog(_: re.Match[str], __: str) -> SqlError:
    return unsupported(
        "names that begin with a schema which has the name of a catalog", "put its catalog in front"
    )


def _refused_table(_: re.Match[str], __: str) -> SqlError:
    return unsupported(
        "this table",
        "create it USING DELTA, without a location, and with a name that Unity Catalog allows",
    )


def _not_supported(match: re.Match[str], _: str) -> SqlError:
    what = match["what"].rstrip(".")
    return unsupported(f"this statement ({what})")


Make = Callable[[re.Match[str], str], SqlError]

_KNOWN: list[tuple[re.Pattern[str], Make]] = [
    (re.compile(pattern), make)
    for pattern, make in [
        (r"found (?:(?P<near>.+?) at (?P<start>\d+):\d+|end of input) expected", _syntax),
        (r"attribute ObjectName\(\[.*?\]\) is missing", _no_such_column),
        (r"unknown function: (?P<name>\w+)", _no_such_routine),
        (r"Table or view not found: (?P<name>\S+)", _no_such_table),
        (r"The table or view (?P<name>\S+) cannot be found", _no_such_table),
        (r"Failed to create table: .*409 Conflict", _table_created_meanwhile),
        (r"Failed to create table: .*400 Bad Request", _refused_table),
        (r"INSERT is missing value for non-generated column (?P<name>\S+)", _missing_value),
        (r"Failed to drop table: .*404 Not Found.*/tables/(?P<name>[^)?]+)", _no_such_table),
        (r"Table already exists: (?P<name>\S+)", _table_exists),
        (r"invalid argument: empty namespace", _named_as_a_catalog),
        (r"Catalog not found: (?P<name>\S+)", _no_such_catalog),
        (r"(?:Database|Schema|Namespace) not found: (?P<name>\S+)", _no_such_schema),
        (r"404 Not Found.*/schemas/(?P<name>[^)?]+)", _no_such_schema),
        (r"(?i)divide by zero", _division_by_zero),
        (r"Cannot cast string '(?P<value>.*)' to value of (?P<type>\w+) type", _bad_cast),
        (r"Can't cast value (?P<value>\S+) to type (?P<type>\w+)", _cast_overflow),
        (
            r"input schema for INSERT has (?P<given>\d+) fields, but table schema has (?P<wanted>\d+)",
            _arity,
        ),
        (
            r"not supported: (?:Open source Unity Catalog does not support )?(?P<what>.*)",
            _not_supported,
        ),
        (
            r"(?P<what>(?:unsupported .*|CommandNode::\w+|PlanNode::\w+|SHOW CREATE TABLE$|.* in CREATE TABLE.*))",
            _not_supported,
        ),
    ]
]
