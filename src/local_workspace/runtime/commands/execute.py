"""SQL as Databricks has it: commands of the local workspace's own, the rest by the Spark engine."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from local_workspace.runtime.commands import catalog, tables
from local_workspace.runtime.commands.context import Context
from local_workspace.runtime.commands.copy_into import copy_into
from local_workspace.runtime.commands.empty_table import create_empty_table
from local_workspace.runtime.commands.engine import engine_sql
from local_workspace.sql import commands
from local_workspace.sql.command_parser import parse
from local_workspace.sql.copy_into import CopyInto
from local_workspace.sql.refusals import refuse


def sql(session: SparkSession, statement: str) -> DataFrame:
    """As `session.sql`; raises SqlError for what neither has."""
    refuse(statement)
    command = parse(statement)
    return engine_sql(session, statement) if command is None else run(session, command)


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
        case commands.ShowSchemas():
            return catalog.show_schemas(context, command)
        case commands.ListFiles():
            return catalog.list_files(context, command)
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
        case commands.CreateSchema():
            catalog.create_schema(context, command)
        case commands.DropSchema():
            catalog.drop_schema(context, command)
        case commands.Use():
            catalog.use(context, command)
