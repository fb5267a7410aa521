"""Using a catalog that is younger than the session: the engine gives a session the catalogs of its beginning."""

from __future__ import annotations

import os
from collections.abc import Callable

from databricks.connect import DatabricksSession
from pyspark.sql import SparkSession
from pyspark.sql.connect.session import SparkSession as ConnectSession

from local_workspace.runtime.commands.context import Context
from local_workspace.sql import commands
from local_workspace.sql.errors import error
from local_workspace.sql.identifiers import quote


def session_for(
    session: SparkSession, command: commands.Command, create: Callable[[str], SparkSession]
) -> SparkSession:
    """The session that the command is for: the same, or a newer one like it; SqlError where that would lose views.

    `create` makes a session of the engine at an address, `sc://HOST:PORT`.
    """
    if not isinstance(command, commands.Use):
        return session
    names_catalog = command.kind == "CATALOG" or len(command.name) > 1
    if not names_catalog or _knows(session, command.name[0]):
        return session
    context = Context(session)
    known = {catalog["name"] for catalog in context.catalogs()}
    if command.name[0].lower() not in known:
        return session
    if any(table.isTemporary for table in session.catalog.listTables()):
        message = (
            f"Catalog '{command.name[0]}' was created after this session began, and a session that sees it "
            "would be without the temporary views of this one: use the catalog before you create "
            "them, or name its tables with their catalog."
        )
        raise error("UNSUPPORTED_FEATURE.CATALOG_OPERATION", message, "0A000")
    newer = create(context.spark_remote())
    _set_up_alike(newer, session)
    return newer


def new_session(remote: str) -> SparkSession:
    """A session beside those that there are."""
    session: SparkSession = DatabricksSession.builder.remote(remote).create()
    return session


def current_session(remote: str) -> SparkSession:
    """What `getOrCreate()` gives from now on; the former session goes on for the DataFrames that it has made."""
    os.environ["SPARK_REMOTE"] = remote
    session: SparkSession = DatabricksSession.builder.getOrCreate()
    assert isinstance(session, ConnectSession)
    # pyspark itself makes a session the current one only where there is none.
    ConnectSession._default_session = session
    ConnectSession._active_session.session = session
    return session


def _knows(session: SparkSession, catalog: str) -> bool:
    return any(row[0] == catalog.lower() for row in session.sql("SHOW CATALOGS").collect())


def _set_up_alike(newer: SparkSession, session: SparkSession) -> None:
    for name, value in session.conf.getAll.items():
        newer.conf.set(name, value)
    # Sail puts the catalog in front of the schema.
    schema = session.catalog.currentDatabase().rpartition(".")[2]
    newer.sql(f"USE CATALOG {quote(session.catalog.currentCatalog())}")
    newer.sql(f"USE SCHEMA {quote(schema)}")
