"""Statements of the Spark engine, in the form that it understands."""

from __future__ import annotations

import re
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from local_workspace.runtime.commands.conflicts import reported_as_deltas
from local_workspace.runtime.commands.context import Context, dotted
from local_workspace.runtime.commands.information_schema import with_information_schema
from local_workspace.sql.command_parser import created_table
from local_workspace.sql.conditions import no_such_path
from local_workspace.sql.engine_errors import says_table_exists
from local_workspace.sql.file_paths import queried_files
from local_workspace.sql.rewrites import for_engine
from local_workspace.sql.script import tokenize

_GLOB = re.compile(r"[*?\[{]")


def engine_sql(session: SparkSession, statement: str) -> DataFrame:
    """As `session.sql`; a CREATE TABLE that fails leaves no table behind, a missing file is an error."""
    for path in queried_files(tokenize(statement)):
        # The engine takes what is not there for an empty file.
        if path.startswith("/") and not _GLOB.search(path) and not Path(path).exists():
            raise no_such_path(path)
    name = created_table(statement)
    if name is None or session.catalog.tableExists(dotted(name)):
        return _run(session, statement)
    try:
        return _run(session, statement)
    except PySparkException as failed:
        # Sail creates the table before it reads the rows of the query. Another session may have been
        # first with a table of this name.
        if not says_table_exists(str(failed)):
            session.sql(f"DROP TABLE IF EXISTS {dotted(name)}")
        raise


def _run(session: SparkSession, statement: str) -> DataFrame:
    context = Context(session)
    text, relations = with_information_schema(context, for_engine(statement))
    with reported_as_deltas(context, statement):
        return session.sql(text, **relations) if relations else session.sql(text)
