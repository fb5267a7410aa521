"""Reads the statements of `commands`; every other statement is the engine's."""

from __future__ import annotations

from collections.abc import Callable

from local_workspace.sql.commands import (
    Command,
    CreateCatalog,
    CreateEmptyTable,
    CreateSchema,
    CreateVolume,
    DescribeDetail,
    DescribeHistory,
    DropCatalog,
    DropSchema,
    DropVolume,
    ListFiles,
    ShowCatalogs,
    ShowSchemas,
    ShowVolumes,
    Use,
)
from local_workspace.sql.copy_into import parse_copy_into
from local_workspace.sql.cursor import Cursor, Name
from local_workspace.sql.errors import SqlError, unsupported
from local_workspace.sql.object_parser import PARSERS as OBJECT_PARSERS
from local_workspace.sql.table_commands import CreateTableAs
from local_workspace.sql.table_parser import PARSERS as TABLE_PARSERS
from local_workspace.sql.table_parser import create_table_as, require_plain_columns

TABLE, VOLUME, SCHEMA, CATALOG = 3, 3, 2, 1
"""How many parts a name has at most."""


def parse(statement: str) -> Command | None:
    """The command that the statement is, None for one of the engine's; SqlError where it is malformed."""
    cursor = Cursor(statement)
    parser = _parser(cursor)
    if parser is None:
        return None
    command = parser(cursor)
    if command is not None:
        cursor.end()
    return command


def created_table(statement: str) -> Name | None:
    """The name in a CREATE TABLE; None for any other statement."""
    cursor = Cursor(statement)
    if not cursor.accept("CREATE", "TABLE"):
        return None
    cursor.accept("IF", "NOT", "EXISTS")
    return cursor.name(TABLE)


def written_table(statement: str) -> Name | None:
    """The name of the table whose rows the statement changes; None for any other statement."""
    cursor = Cursor(statement)
    if cursor.accept("MERGE"):
        cursor.accept("WITH", "SCHEMA", "EVOLUTION")
        cursor.expect("INTO")
    elif cursor.accept("INSERT"):
        cursor.accept_any("INTO", "OVERWRITE")
        cursor.accept("TABLE")
    elif cursor.accept("DELETE"):
        cursor.expect("FROM")
    elif not (cursor.accept("UPDATE") or cursor.accept("TRUNCATE", "TABLE")):
        return None
    return cursor.name(TABLE)


def _parser(cursor: Cursor) -> Parser | None:
    """What parses the statement, with the cursor behind the words that say so."""
    for words, parser in _PARSERS.items():
        start = cursor.index
        # With nothing behind it the last word is a name: `DESCRIBE history` describes a table.
        if cursor.accept(*words.split()) and (cursor.token or words.startswith("SHOW")):
            return parser
        cursor.index = start
    return None


def _describe_history(cursor: Cursor) -> DescribeHistory:
    table = _table(cursor)
    return DescribeHistory(table, cursor.integer() if cursor.accept("LIMIT") else None)


def _describe_detail(cursor: Cursor) -> DescribeDetail:
    return DescribeDetail(_table(cursor))


def _table(cursor: Cursor) -> Name:
    if cursor.accept_string():
        raise unsupported("DESCRIBE of a path", "name a table of Unity Catalog")
    return cursor.name(TABLE)


def _show_volumes(cursor: Cursor) -> ShowVolumes:
    schema = cursor.name(SCHEMA) if cursor.accept_any("IN", "FROM") else None
    return ShowVolumes(schema, _pattern(cursor))


def _show_schemas(cursor: Cursor) -> ShowSchemas:
    catalog = cursor.name(CATALOG) if cursor.accept_any("IN", "FROM") else None
    return ShowSchemas(catalog, _pattern(cursor))


def _show_catalogs(cursor: Cursor) -> ShowCatalogs:
    return ShowCatalogs(_pattern(cursor))


def _pattern(cursor: Cursor) -> str | None:
    return cursor.string() if cursor.accept("LIKE") else cursor.accept_string()


def _create_table(cursor: Cursor) -> CreateEmptyTable | CreateTableAs | None:
    """None for a table that has its columns in the statement: that is the engine's."""
    if_not_exists, comment = cursor.accept("IF", "NOT", "EXISTS"), None
    if with_rows := create_table_as(cursor, if_not_exists=if_not_exists):
        return with_rows
    table = cursor.name(TABLE)
    if cursor.holds("("):
        require_plain_columns(cursor)
    if cursor.holds("(", "AS", "SELECT", "LIKE", "CLONE", "LOCATION"):
        return None
    while cursor.token is not None:
        if cursor.accept("COMMENT"):
            comment = cursor.string()
        elif not cursor.accept("USING", "DELTA"):
            clause = cursor.text(cursor.index, cursor.index + 1)
            # The engine would leave a table behind that nothing can read.
            raise unsupported(f"a table without columns with {clause}", "give it columns")
    return CreateEmptyTable(table, if_not_exists, comment)


def _list(cursor: Cursor) -> ListFiles:
    path = cursor.string()
    if cursor.accept("WITH"):
        raise unsupported("LIST with a credential", "list a path below /Volumes")
    return ListFiles(path, cursor.integer() if cursor.accept("LIMIT") else None)


def _create_volume(cursor: Cursor) -> CreateVolume:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    volume = cursor.name(VOLUME)
    if cursor.accept("LOCATION"):
        raise _external_volume()
    return CreateVolume(
        volume, if_not_exists, cursor.string() if cursor.accept("COMMENT") else None
    )


def _external_volume() -> SqlError:
    return unsupported("external volumes", "create a managed volume, without LOCATION")


def _create_external_volume(_: Cursor) -> CreateVolume:
    raise _external_volume()


def _drop_volume(cursor: Cursor) -> DropVolume:
    if_exists = cursor.accept("IF", "EXISTS")
    return DropVolume(cursor.name(VOLUME), if_exists)


def _create_catalog(cursor: Cursor) -> CreateCatalog:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    catalog, comment = cursor.name(CATALOG), None
    while cursor.token is not None:
        if cursor.accept("COMMENT"):
            comment = cursor.string()
        elif words := cursor.accept_any("MANAGED", "DEFAULT", "USING", "OPTIONS"):
            raise unsupported(f"CREATE CATALOG with {words}", "leave it out")
        else:
            raise cursor.error()
    return CreateCatalog(catalog, if_not_exists, comment)


def _drop_catalog(cursor: Cursor) -> DropCatalog:
    if_exists = cursor.accept("IF", "EXISTS")
    catalog = cursor.name(CATALOG)
    return DropCatalog(catalog, if_exists, cursor.accept_any("RESTRICT", "CASCADE") == "CASCADE")


def _create_schema(cursor: Cursor) -> CreateSchema:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    schema, comment, properties = cursor.name(SCHEMA), None, {}
    while cursor.token is not None:
        if cursor.accept("COMMENT"):
            comment = cursor.string()
        elif cursor.accept("WITH", "DBPROPERTIES"):
            properties = cursor.options()
        elif cursor.accept("MANAGED", "LOCATION"):
            raise unsupported("CREATE SCHEMA with MANAGED LOCATION", "leave it out")
        elif cursor.accept("DEFAULT", "COLLATION"):
            raise unsupported("CREATE SCHEMA with DEFAULT COLLATION", "leave it out")
        else:
            raise cursor.error()
    return CreateSchema(schema, if_not_exists, comment, properties)


def _drop_schema(cursor: Cursor) -> DropSchema:
    if_exists = cursor.accept("IF", "EXISTS")
    schema = cursor.name(SCHEMA)
    return DropSchema(schema, if_exists, cursor.accept_any("RESTRICT", "CASCADE") == "CASCADE")


def _use_catalog(cursor: Cursor) -> Use:
    # https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-use-catalog also takes a string.
    name = cursor.accept_string()
    return Use("CATALOG", (name,) if name else cursor.name(CATALOG))


def _use_schema(cursor: Cursor) -> Use:
    return Use("SCHEMA", cursor.name(SCHEMA))


Parser = Callable[[Cursor], Command | None]

_PARSERS: dict[str, Parser] = {
    "COPY INTO": parse_copy_into,
    "DESCRIBE HISTORY": _describe_history,
    "DESC HISTORY": _describe_history,
    "DESCRIBE DETAIL": _describe_detail,
    "DESC DETAIL": _describe_detail,
    "SHOW VOLUMES": _show_volumes,
    "SHOW CATALOGS": _show_catalogs,
    "SHOW SCHEMAS": _show_schemas,
    "SHOW DATABASES": _show_schemas,
    "CREATE TABLE": _create_table,
    "LIST": _list,
    "CREATE VOLUME": _create_volume,
    "CREATE EXTERNAL VOLUME": _create_external_volume,
    "DROP VOLUME": _drop_volume,
    "CREATE CATALOG": _create_catalog,
    "DROP CATALOG": _drop_catalog,
    "CREATE SCHEMA": _create_schema,
    "CREATE DATABASE": _create_schema,
    "DROP SCHEMA": _drop_schema,
    "DROP DATABASE": _drop_schema,
    "USE CATALOG": _use_catalog,
    "SET CATALOG": _use_catalog,
    "USE SCHEMA": _use_schema,
    "USE DATABASE": _use_schema,
    "USE": _use_schema,
    **TABLE_PARSERS,
    **OBJECT_PARSERS,
}
