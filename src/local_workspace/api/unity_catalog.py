"""Unity Catalog 2.1 as the Databricks SDKs, the CLI and the Spark engine call it.

https://docs.databricks.com/api/workspace/catalogs and, for the routes of the engine alone (staging
tables, Delta commits), https://github.com/unitycatalog/unitycatalog/blob/main/api/all.yaml
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from databricks.sdk.service.catalog import (
    ColumnInfo,
    DataSourceFormat,
    TableSummary,
    TableType,
    VolumeType,
)

from local_workspace.api.endpoint import Params, endpoint
from local_workspace.api.paging import page_of
from local_workspace.errors import FeatureDisabled, InvalidParameterValue, LocalWorkspaceError
from local_workspace.store.commit_files import DeltaCommit
from local_workspace.store.tables import NewTable

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

PREFIX = "/api/2.1/unity-catalog"
MAX_RESULTS = 10_000
"""Entries in one answer; many, because the Spark engine does not ask for further pages."""

OMISSIONS = {
    "omit_columns": ("columns",),
    "omit_properties": ("properties",),
    "omit_username": ("owner", "created_by", "updated_by"),
}
"""What a listing of tables leaves out if it is asked to."""
MANAGED_BY_DATABRICKS = (
    "enable_predictive_optimization",
    "custom_max_retention_hours",
    "managed_encryption_settings",
)
"""Settings of catalogs and schemas that have no meaning here."""
NOT_OF_CATALOGS = ("connection_name", "options", "provider_name", "share_name", "storage_root")
"""What makes a catalog a foreign or a shared one, or keeps it in a storage of its own."""


class Info(Protocol):
    def as_dict(self) -> dict[str, Any]: ...


def list_catalogs(workspace: Workspace, params: Params) -> dict[str, Any]:
    return _page("catalogs", workspace.catalog.list_catalogs(), params)


def get_catalog(workspace: Workspace, params: Params) -> dict[str, Any]:
    return workspace.catalog.get_catalog(params["name"]).as_dict()


def update_catalog(workspace: Workspace, params: Params) -> dict[str, Any]:
    _refuse(params, "catalog", "new_name", "isolation_mode", "options", *MANAGED_BY_DATABRICKS)
    return workspace.catalog.update_catalog(params["name"], _changes(params)).as_dict()


async def create_catalog(workspace: Workspace, params: Params) -> dict[str, Any]:
    """Answered when the sessions that begin from then on see the catalog."""
    _refuse(params, "catalog", *NOT_OF_CATALOGS, *MANAGED_BY_DATABRICKS)
    created = workspace.catalog.create_catalog(
        params.required_text("name"), params.text("comment"), params.object("properties")
    )
    try:
        await workspace.serve_catalogs()
    except LocalWorkspaceError:
        assert created.name is not None
        workspace.catalog.delete_catalog(created.name, force=True)
        raise
    return created.as_dict()


async def delete_catalog(workspace: Workspace, params: Params) -> None:
    force = params.boolean("force")
    deleted = workspace.catalog.delete_catalog(params["name"], force=force)
    workspace.volumes.remove_files_of(deleted)
    await workspace.serve_catalogs()


def create_schema(workspace: Workspace, params: Params) -> dict[str, Any]:
    _refuse(params, "schema", "storage_root", *MANAGED_BY_DATABRICKS)
    schema = workspace.catalog.create_schema(
        params.required_text("catalog_name"),
        params.required_text("name"),
        params.text("comment"),
        params.object("properties"),
    )
    return schema.as_dict()


def list_schemas(workspace: Workspace, params: Params) -> dict[str, Any]:
    schemas = workspace.catalog.list_schemas(params.required_text("catalog_name"))
    return _page("schemas", schemas, params)


def get_schema(workspace: Workspace, params: Params) -> dict[str, Any]:
    return workspace.catalog.get_schema(params["full_name"]).as_dict()


def update_schema(workspace: Workspace, params: Params) -> dict[str, Any]:
    _refuse(params, "schema", "new_name", *MANAGED_BY_DATABRICKS)
    return workspace.catalog.update_schema(params["full_name"], _changes(params)).as_dict()


def delete_schema(workspace: Workspace, params: Params) -> None:
    force = params.boolean("force")
    deleted = workspace.catalog.delete_schema(params["full_name"], force=force)
    workspace.volumes.remove_files_of(deleted)


def create_staging_table(workspace: Workspace, params: Params) -> dict[str, Any]:
    staged = workspace.catalog.tables.stage(*_parent(params), params.required_text("name"))
    return {
        "id": staged.table_id,
        "catalog_name": staged.catalog_name,
        "schema_name": staged.schema_name,
        "name": staged.name,
        "staging_location": staged.location,
    }


def create_table(workspace: Workspace, params: Params) -> dict[str, Any]:
    table_type = params.enum("table_type", TableType)
    if table_type not in (TableType.MANAGED, TableType.EXTERNAL):
        raise FeatureDisabled(f"The local workspace has no tables of type {table_type.value}.")
    catalog_name, schema_name = _parent(params)
    table = NewTable(
        catalog_name=catalog_name,
        schema_name=schema_name,
        name=params.required_text("name"),
        table_type=table_type,
        data_source_format=params.enum("data_source_format", DataSourceFormat),
        storage_location=params.required_text("storage_location"),
        columns=[ColumnInfo.from_dict(column) for column in params.objects("columns")],
        comment=params.text("comment"),
        properties=params.object("properties"),
    )
    return workspace.catalog.tables.create(table).as_dict()


def list_tables(workspace: Workspace, params: Params) -> dict[str, Any]:
    listed = _page("tables", workspace.catalog.tables.in_schema(*_parent(params)), params)
    for option, fields in OMISSIONS.items():
        if params.boolean(option):
            listed["tables"] = [_without(table, fields) for table in listed["tables"]]
    return listed


def list_table_summaries(workspace: Workspace, params: Params) -> dict[str, Any]:
    catalog_name = params.required_text("catalog_name")
    schema_pattern = params.text("schema_name_pattern") or "%"
    table_pattern = params.text("table_name_pattern") or "%"
    found = workspace.catalog.tables.like(catalog_name, schema_pattern, table_pattern)
    listed = [
        TableSummary(full_name=table.full_name, table_type=table.table_type) for table in found
    ]
    return _page("tables", listed, params)


def _without(table: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in fields}


def get_table(workspace: Workspace, params: Params) -> dict[str, Any]:
    return workspace.catalog.tables.get(params["full_name"]).as_dict()


def table_exists(workspace: Workspace, params: Params) -> dict[str, Any]:
    return {"table_exists": workspace.catalog.tables.exists(params["full_name"])}


def update_table(workspace: Workspace, params: Params) -> None:
    """The owner; all else is changed in SQL."""
    workspace.catalog.tables.set_owner(params["full_name"], params.required_text("owner"))


def delete_table(workspace: Workspace, params: Params) -> None:
    workspace.catalog.tables.delete(params["full_name"])


def list_commits(workspace: Workspace, params: Params) -> dict[str, Any]:
    ratified = workspace.catalog.commits.ratified(
        params.required_text("table_id"),
        params.required_text("table_uri"),
        params.required_integer("start_version"),
        params.integer("end_version"),
    )
    return {
        "commits": [vars(commit) for commit in ratified.commits],
        "latest_table_version": ratified.latest_version,
    }


async def commit(workspace: Workspace, params: Params) -> None:
    """In a thread, because commit files are read."""
    _refuse(params, "Delta commit", "uniform")
    info = Params(params.object("commit_info"))
    published_version = params.integer("latest_backfilled_version")
    if not info and published_version is None:
        raise InvalidParameterValue(
            "Missing required field: commit_info or latest_backfilled_version"
        )
    await asyncio.to_thread(
        workspace.catalog.commits.ratify,
        params.required_text("table_id"),
        params.required_text("table_uri"),
        _delta_commit(info) if info else None,
        published_version=published_version,
        metadata=params.object("metadata"),
    )


def create_volume(workspace: Workspace, params: Params) -> dict[str, Any]:
    volume_type = params.enum("volume_type", VolumeType)
    if volume_type is VolumeType.EXTERNAL:
        raise FeatureDisabled(
            "The local workspace has no external locations, so it has managed volumes alone: "
            "leave out storage_location and set volume_type to MANAGED."
        )
    if params.text("storage_location"):
        raise InvalidParameterValue("CreateVolume storage_location can not be provided.")
    name, comment = params.required_text("name"), params.text("comment")
    return workspace.volumes.create(*_parent(params), name, comment).as_dict()


def list_volumes(workspace: Workspace, params: Params) -> dict[str, Any]:
    return _page("volumes", workspace.volumes.in_schema(*_parent(params)), params)


def get_volume(workspace: Workspace, params: Params) -> dict[str, Any]:
    return workspace.volumes.get(params["full_name"]).as_dict()


def update_volume(workspace: Workspace, params: Params) -> dict[str, Any]:
    changes = _texts(params, "comment", "owner")
    return workspace.volumes.update(params["full_name"], changes, params.text("new_name")).as_dict()


def delete_volume(workspace: Workspace, params: Params) -> None:
    workspace.volumes.delete(params["full_name"])


def _parent(params: Params) -> tuple[str, str]:
    return params.required_text("catalog_name"), params.required_text("schema_name")


def _texts(params: Params, *fields: str) -> dict[str, Any]:
    return {field: params.text(field) for field in fields if field in params}


def _changes(params: Params) -> dict[str, Any]:
    """What can be changed of a catalog or a schema."""
    changes = _texts(params, "comment", "owner")
    return changes | ({"properties": params.object("properties")} if "properties" in params else {})


def _refuse(params: Params, what: str, *fields: str) -> None:
    for field in fields:
        if params.get(field):
            raise FeatureDisabled(f"The local workspace does not support {field} of a {what}.")


def _delta_commit(info: Params) -> DeltaCommit:
    return DeltaCommit(
        version=info.required_integer("version"),
        timestamp=info.required_integer("timestamp"),
        file_name=info.required_text("file_name"),
        file_size=info.required_integer("file_size"),
        file_modification_timestamp=info.required_integer("file_modification_timestamp"),
    )


def _page(name: str, infos: Sequence[Info], params: Params) -> dict[str, Any]:
    page, rest = page_of(infos, params, "max_results", MAX_RESULTS)
    return {name: [info.as_dict() for info in page], **rest}


routes = [
    endpoint("GET", f"{PREFIX}/catalogs", list_catalogs),
    endpoint("POST", f"{PREFIX}/catalogs", create_catalog),
    endpoint("GET", f"{PREFIX}/catalogs/{{name}}", get_catalog),
    endpoint("PATCH", f"{PREFIX}/catalogs/{{name}}", update_catalog),
    endpoint("DELETE", f"{PREFIX}/catalogs/{{name}}", delete_catalog),
    endpoint("POST", f"{PREFIX}/schemas", create_schema),
    endpoint("GET", f"{PREFIX}/schemas", list_schemas),
    endpoint("GET", f"{PREFIX}/schemas/{{full_name}}", get_schema),
    endpoint("PATCH", f"{PREFIX}/schemas/{{full_name}}", update_schema),
    endpoint("DELETE", f"{PREFIX}/schemas/{{full_name}}", delete_schema),
    endpoint("POST", f"{PREFIX}/staging-tables", create_staging_table),
    endpoint("POST", f"{PREFIX}/tables", create_table),
    endpoint("GET", f"{PREFIX}/tables", list_tables),
    endpoint("GET", f"{PREFIX}/table-summaries", list_table_summaries),
    endpoint("GET", f"{PREFIX}/tables/{{full_name}}", get_table),
    endpoint("GET", f"{PREFIX}/tables/{{full_name}}/exists", table_exists),
    endpoint("PATCH", f"{PREFIX}/tables/{{full_name}}", update_table),
    endpoint("DELETE", f"{PREFIX}/tables/{{full_name}}", delete_table),
    endpoint("GET", f"{PREFIX}/delta/preview/commits", list_commits),
    endpoint("POST", f"{PREFIX}/delta/preview/commits", commit),
    endpoint("POST", f"{PREFIX}/volumes", create_volume),
    endpoint("GET", f"{PREFIX}/volumes", list_volumes),
    endpoint("GET", f"{PREFIX}/volumes/{{full_name}}", get_volume),
    endpoint("PATCH", f"{PREFIX}/volumes/{{full_name}}", update_volume),
    endpoint("DELETE", f"{PREFIX}/volumes/{{full_name}}", delete_volume),
]
