"""SQL as Databricks has it: commands of the local workspace's own, the rest by the Spark engine."""

from __future__ import annotations

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
    match command:
        case CopyInto():
            return copy_into(context, command)
        case commands.DescribeHistory():
            return tables.describe_history(context, command)
        case commands.DescribeDetail():
            return tables.describe_detail(context, command)
        case commands.ShowVolumes():
            return catalog.show_volumes(context, command)
        case commands.ShowCatalogs():
            return catalog.show_catalogs(context, command)
        case commands.ShowSchemas():
            return catalog.show_schemas(context, command)
        case commands.ListFiles():
            return catalog.list_files(context, command)
        case DescribeVolume():
            return objects.describe_volume(context, command)
        case t.RestoreTable():
            return restore_table(context, command)
        case t.ShowProperties():
            return table_properties.show_properties(context, command)
        case t.ShowCreateTable():
            return table_properties.show_create_table(context, command)
        case t.ShowColumns():
            return table_properties.show_columns(context, command)
    _change(context, command)
    return session.createDataFrame([], StructType([]))


def _change(context: Context, command: commands.Command) -> None:
    match command:
        case commands.CreateEmptyTable():
            create_empty_table(context, command)
        case commands.CreateVolume():
            catalog.create_volume(context, command)
        case commands.DropVolume():
            catalog.drop_volume(context, command)
        case commands.CreateCatalog():
            catalog.create_catalog(context, command)
        case commands.DropCatalog():
            catalog.drop_catalog(context, command)
        case commands.CreateSchema():
            catalog.create_schema(context, command)
        case commands.DropSchema():
            catalog.drop_schema(context, command)
        case commands.Use():
            catalog.use(context, command)
        case ChangeObject():
            objects.change_object(context, command)
        case t.ReplaceTable():
            replace_table(context, command)
        case t.CreateTableAs():
            create_table_as(context, command)
        case t.AddColumns():
            alter_table.add_columns(context, command)
        case t.CommentColumn():
            alter_table.comment_column(context, command)
        case t.DropNotNull():
            alter_table.drop_not_null(context, command)
        case t.CommentTable():
            alter_table.comment_table(context, command)
        case t.SetProperties():
            alter_table.set_properties(context, command)
        case t.UnsetProperties():
            alter_table.unset_properties(context, command)
