"""SQL as Databricks has it: commands of the local workspace's own, the rest by the Spark engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from local_workspace.runtime.commands import (
    alter_table,
    catalog,
    objects,
    table_properties,
    tables,
)
from local_workspace.runtime.commands.context import Context
from local_workspace.runtime.commands.copy_into import copy_into
from local_workspace.runtime.commands.empty_table import create_empty_table
from local_workspace.runtime.commands.engine import engine_sql
from local_workspace.runtime.commands.newer_session import current_session, session_for
from local_workspace.runtime.commands.replace_table import create_table_as, replace_table
from local_workspace.runtime.commands.restore_table import restore_table
from local_workspace.sql import commands
from local_workspace.sql import table_commands as t
from local_workspace.sql.command_parser import parse
from local_workspace.sql.copy_into import CopyInto
from local_workspace.sql.object_commands import ChangeObject, DescribeVolume
from local_workspace.sql.refusals import refuse


def sql(session: SparkSession, statement: str) -> DataFrame:
    """As `session.sql`; raises SqlError for what neither has.

    A statement may need a newer session, which is the current one from then on.
    """
    refuse(statement)
    command = parse(statement)
    if command is None:
        return engine_sql(session, statement)
    return run(session_for(session, command, current_session), command)


def run(session: SparkSession, command: commands.Command) -> DataFrame:
    """The command's rows, without columns where it has none; raises SqlError."""
    context = Context(session)
    if query := QUERIES.get(type(command)):
        return query(context, command)
    CHANGES[type(command)](context, command)
    return session.createDataFrame([], StructType([]))


QUERIES: dict[type, Callable[[Context, Any], DataFrame]] = {
    CopyInto: copy_into,
    DescribeVolume: objects.describe_volume,
    commands.DescribeHistory: tables.describe_history,
    commands.DescribeDetail: tables.describe_detail,
    commands.ShowVolumes: catalog.show_volumes,
    commands.ShowCatalogs: catalog.show_catalogs,
    commands.ShowSchemas: catalog.show_schemas,
    commands.ListFiles: catalog.list_files,
    t.RestoreTable: restore_table,
    t.ShowProperties: table_properties.show_properties,
    t.ShowCreateTable: table_properties.show_create_table,
    t.ShowColumns: table_properties.show_columns,
}

CHANGES: dict[type, Callable[[Context, Any], None]] = {
    ChangeObject: objects.change_object,
    commands.CreateEmptyTable: create_empty_table,
    commands.CreateVolume: catalog.create_volume,
    commands.DropVolume: catalog.drop_volume,
    commands.CreateCatalog: catalog.create_catalog,
    commands.DropCatalog: catalog.drop_catalog,
    commands.CreateSchema: catalog.create_schema,
    commands.DropSchema: catalog.drop_schema,
    commands.Use: catalog.use,
    t.ReplaceTable: replace_table,
    t.CreateTableAs: create_table_as,
    t.AddColumns: alter_table.add_columns,
    t.CommentColumn: alter_table.comment_column,
    t.DropNotNull: alter_table.drop_not_null,
    t.CommentTable: alter_table.comment_table,
    t.SetProperties: alter_table.set_properties,
    t.UnsetProperties: alter_table.unset_properties,
}
