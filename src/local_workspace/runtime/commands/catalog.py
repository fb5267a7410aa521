"""Catalogs, schemas, volumes and the files in them: statements on the same catalog that the SDK and Spark use."""

from __future__ import annotations

import re
from pathlib import Path

from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists
from pyspark.sql import DataFrame

from local_workspace.runtime.commands.context import UNITY_CATALOG, Context, dotted, encoded
from local_workspace.sql import commands
from local_workspace.sql.conditions import (
    catalog_exists,
    catalog_not_empty,
    no_such_catalog,
    no_such_path,
    no_such_schema,
    no_such_volume,
    schema_exists,
    schema_not_empty,
    volume_exists,
)
from local_workspace.sql.errors import error
from local_workspace.sql.identifiers import quote

MAX_LISTED = 1001
"""Entries of a LIST, unless it has a smaller limit."""


def create_catalog(context: Context, command: commands.CreateCatalog) -> None:
    (name,) = command.catalog
    try:
        context.call("POST", f"{UNITY_CATALOG}/catalogs", name=name, comment=command.comment)
    except ResourceAlreadyExists:
        if not command.if_not_exists:
            raise catalog_exists(quote(name)) from None


def drop_catalog(context: Context, command: commands.DropCatalog) -> None:
    (name,) = command.catalog
    try:
        force = str(command.cascade).lower()
        context.call("DELETE", f"{UNITY_CATALOG}/catalogs/{encoded((name,))}", force=force)
    except NotFound:
        if not command.if_exists:
            raise no_such_catalog(name) from None
    except BadRequest as refused:
        if "is not empty" not in str(refused):
            raise
        raise catalog_not_empty(quote(name)) from None


def show_catalogs(context: Context, command: commands.ShowCatalogs) -> DataFrame:
    names = [catalog["name"] for catalog in context.catalogs()]
    return context.frame(
        [("catalog", "STRING")], [[name] for name in names if _fits(name, command.pattern)]
    )


def create_schema(context: Context, command: commands.CreateSchema) -> None:
    catalog, schema = context.full_name(command.schema, 2)
    values = {"comment": command.comment, "properties": command.properties}
    try:
        context.call(
            "POST", f"{UNITY_CATALOG}/schemas", catalog_name=catalog, name=schema, **values
        )
    except ResourceAlreadyExists:
        if not command.if_not_exists:
            raise schema_exists(dotted(command.schema)) from None
    except NotFound:
        raise no_such_catalog(catalog) from None


def drop_schema(context: Context, command: commands.DropSchema) -> None:
    name = context.full_name(command.schema, 2)
    try:
        force = str(command.cascade).lower()
        context.call("DELETE", f"{UNITY_CATALOG}/schemas/{encoded(name)}", force=force)
    except NotFound:
        if not command.if_exists:
            raise no_such_schema(dotted(command.schema)) from None
    except BadRequest as refused:
        if "is not empty" not in str(refused):
            raise
        raise schema_not_empty(dotted(command.schema)) from None


def use(context: Context, command: commands.Use) -> None:
    if command.kind == "CATALOG":
        _use_catalog(context, command.name[0])
        return
    catalog, schema = context.full_name(command.name, 2)
    try:
        stored = context.object("schemas", (catalog, schema))
    except NotFound:
        raise no_such_schema(dotted(command.name)) from None
    if len(command.name) > 1:
        context.session.sql(f"USE CATALOG {quote(stored['catalog_name'])}")
    context.session.sql(f"USE SCHEMA {quote(stored['name'])}")


def _use_catalog(context: Context, name: str) -> None:
    try:
        stored = context.object("catalogs", (name,))["name"]
    except NotFound:
        raise no_such_catalog(name) from None
    context.session.sql(f"USE CATALOG {quote(stored)}")


def create_volume(context: Context, command: commands.CreateVolume) -> None:
    catalog, schema, volume = context.full_name(command.volume, 3)
    values = {"volume_type": "MANAGED", "comment": command.comment}
    parent = {"catalog_name": catalog, "schema_name": schema}
    try:
        context.call("POST", f"{UNITY_CATALOG}/volumes", **parent, name=volume, **values)
    except ResourceAlreadyExists:
        if not command.if_not_exists:
            raise volume_exists(dotted(command.volume)) from None
    except NotFound:
        raise no_such_schema(dotted((catalog, schema))) from None


def drop_volume(context: Context, command: commands.DropVolume) -> None:
    name = context.full_name(command.volume, 3)
    try:
        context.call("DELETE", f"{UNITY_CATALOG}/volumes/{encoded(name)}")
    except NotFound:
        if not command.if_exists:
            raise no_such_volume(dotted(command.volume)) from None


def show_volumes(context: Context, command: commands.ShowVolumes) -> DataFrame:
    catalog, schema = context.full_name(command.schema or (), 2)
    try:
        parent = {"catalog_name": catalog, "schema_name": schema}
        found = context.call("GET", f"{UNITY_CATALOG}/volumes", **parent).get("volumes", [])
    except NotFound:
        raise no_such_schema(dotted((catalog, schema))) from None
    rows = [(schema, volume["name"]) for volume in found if _fits(volume["name"], command.pattern)]
    return context.frame([("database", "STRING"), ("volumeName", "STRING")], rows)


def show_schemas(context: Context, command: commands.ShowSchemas) -> DataFrame:
    (catalog,) = command.catalog or (context.session.catalog.currentCatalog(),)
    try:
        found = context.call("GET", f"{UNITY_CATALOG}/schemas", catalog_name=catalog)["schemas"]
    except NotFound:
        raise no_such_catalog(catalog) from None
    names = [schema["name"] for schema in found]
    return context.frame(
        [("databaseName", "STRING")], [[name] for name in names if _fits(name, command.pattern)]
    )


def list_files(context: Context, command: commands.ListFiles) -> DataFrame:
    if command.limit is not None and not 1 <= command.limit <= MAX_LISTED:
        message = f"LIMIT of LIST must be between 1 and {MAX_LISTED}, got {command.limit}."
        raise error("INVALID_LIMIT_LIKE_EXPRESSION", message, "42K0E")
    folder = context.volume_path(command.path)
    if not folder.local.is_dir():
        raise no_such_path(command.path)
    entries = sorted(folder.local.iterdir())[: command.limit or MAX_LISTED]
    columns = [("path", "STRING"), ("name", "STRING")]
    numbers = [("size", "BIGINT"), ("modification_time", "BIGINT")]
    return context.frame(columns + numbers, [_entry(folder.path, entry) for entry in entries])


def _entry(folder: str, entry: Path) -> tuple[str, str, int, int]:
    status, name = entry.lstat(), entry.name + ("/" if entry.is_dir() else "")
    size = 0 if entry.is_dir() else status.st_size
    return f"{folder}/{name}", name, size, status.st_mtime_ns // 1_000_000


def _fits(name: str, pattern: str | None) -> bool:
    """A regular expression in which `*` stands for any characters and `|` for another pattern."""
    if pattern is None:
        return True
    expressions = (part.replace("*", ".*") for part in pattern.strip().split("|"))
    try:
        return any(re.fullmatch(part, name, re.IGNORECASE) for part in expressions)
    except re.error as bad:
        raise error("INVALID_PARAMETER_VALUE.PATTERN", f"'{pattern}': {bad}.", "22023") from bad
