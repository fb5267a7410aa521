from __future__ import annotations

import io
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    DatabricksError,
    InternalError,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
)
from databricks.sdk.service.catalog import (
    ColumnInfo,
    ColumnTypeName,
    DataSourceFormat,
    EffectivePrivilege,
    EffectivePrivilegeAssignment,
    PermissionsChange,
    Privilege,
    PrivilegeAssignment,
    SecurableType,
    TableType,
    VolumeType,
)
from expect import refused
from serving import CatalogWorkspace, Switchboard, plugged_in

from local_workspace.errors import LocalWorkspaceError

INT = ColumnInfo(
    name="year", type_name=ColumnTypeName.INT, type_text="int", position=0, comment="AD"
)


class UnityCatalog:
    """The routes that only the engine calls."""

    def __init__(self, workspace: CatalogWorkspace) -> None:
        self._url = workspace.catalog_url
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {workspace.token}"

    def call(self, method: str, path: str, body: dict[str, Any]) -> requests.Response:
        return self._http.request(method, f"{self._url}/{path}", json=body)

    def stage(self, schema: str, name: str) -> dict[str, Any]:
        body = {"catalog_name": "main", "schema_name": schema, "name": name}
        staged: dict[str, Any] = self.call("POST", "staging-tables", body).json()
        return staged

    def create_table(self, schema: str, name: str, /, **changes: Any) -> requests.Response:
        body = {
            "catalog_name": "main",
            "schema_name": schema,
            "name": name,
            "table_type": "MANAGED",
            "data_source_format": "DELTA",
            "storage_location": self.stage(schema, name)["staging_location"],
            "columns": [INT.as_dict()],
        }
        return self.call("POST", "tables", {**body, **changes})

    def commit(
        self, table: dict[str, Any], version: int, file_name: str = "", **more: Any
    ) -> requests.Response:
        info = {
            "version": version,
            "timestamp": 1000 + version,
            "file_name": file_name or f"{version:020}.{uuid.uuid4()}.json",
            "file_size": 10 * version,
            "file_modification_timestamp": 2000 + version,
        }
        return self.call(
            "POST", "delta/preview/commits", {**location_of(table), "commit_info": info, **more}
        )

    def commits(self, table: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = {**location_of(table), "start_version": 1, **more}
        answer: dict[str, Any] = self.call("GET", "delta/preview/commits", body).json()
        return answer


def location_of(table: dict[str, Any]) -> dict[str, Any]:
    return {"table_id": table["table_id"], "table_uri": table["storage_location"]}


def folder_of(table: dict[str, Any]) -> Path:
    return Path(table["storage_location"].removeprefix("file://"))


@pytest.fixture
def uc(workspace: CatalogWorkspace) -> UnityCatalog:
    return UnityCatalog(workspace)


@pytest.fixture
def table(uc: UnityCatalog) -> dict[str, Any]:
    created: dict[str, Any] = uc.create_table("default", "shares").json()
    return created


# Catalogs


def test_there_is_one_catalog_from_the_start(client: WorkspaceClient) -> None:
    assert [catalog.name for catalog in client.catalogs.list()] == ["main"]
    assert client.catalogs.get("MAIN").full_name == "main"
    message = "Catalog 'other' does not exist."
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", message, lambda: client.catalogs.get("other"))


def test_the_catalog_is_described_and_owned(client: WorkspaceClient) -> None:
    before = client.catalogs.get("main")
    changed = client.catalogs.update("main", comment="Energy", owner="o", properties={"a": "1"})
    assert (changed.comment, changed.owner, changed.properties) == ("Energy", "o", {"a": "1"})
    assert client.catalogs.get("main") == changed
    assert (changed.updated_at or 0) >= (before.updated_at or 0)


def test_a_catalog_is_created_used_and_deleted(
    client: WorkspaceClient, workspace: CatalogWorkspace
) -> None:
    created = client.catalogs.create("Wind", comment="turbines", properties={"a": "1"})
    assert (created.name, created.comment, created.properties) == ("wind", "turbines", {"a": "1"})
    assert [catalog.name for catalog in client.catalogs.list()] == ["main", "wind"]
    assert client.catalogs.get("WIND") == created
    assert [schema.full_name for schema in client.schemas.list("wind")] == ["wind.default"]
    client.volumes.create("wind", "default", "landing", VolumeType.MANAGED)
    client.files.upload("/Volumes/wind/default/landing/a.txt", io.BytesIO(b"a"))
    grant = PermissionsChange(principal="users", add=[Privilege.USE_CATALOG])
    client.grants.update("catalog", "wind", changes=[grant])
    message = "Catalog 'wind' is not empty. The catalog has 1 schema(s): delete them, or set force."
    refused(BadRequest, "INVALID_STATE", message, lambda: client.catalogs.delete("wind"))
    client.catalogs.delete("wind", force=True)
    assert not (workspace.state.mounts / "Volumes" / "wind").exists()
    assert [catalog.name for catalog in client.catalogs.list()] == ["main"]
    client.catalogs.create("wind")
    assert not client.grants.get("catalog", "wind").privilege_assignments
    client.schemas.delete("wind.default")
    client.catalogs.delete("wind")


def test_tables_of_a_deleted_catalog_leave_no_files(
    client: WorkspaceClient, uc: UnityCatalog
) -> None:
    client.catalogs.create("wind")
    body = {"catalog_name": "wind", "schema_name": "default", "name": "t"}
    staged = uc.call("POST", "staging-tables", body).json()
    location = {"storage_location": staged["staging_location"]}
    table = uc.create_table("default", "t", catalog_name="wind", **location).json()
    (folder_of(table) / "_delta_log").mkdir(parents=True)
    client.catalogs.delete("wind", force=True)
    assert not folder_of(table).exists()


@pytest.mark.parametrize(
    ("name", "error", "code", "message"),
    [
        (
            "MAIN",
            ResourceAlreadyExists,
            "RESOURCE_ALREADY_EXISTS",
            "Catalog 'main' already exists.",
        ),
        ("", InvalidParameterValue, "INVALID_PARAMETER_VALUE", "Missing required field: name"),
        (
            "System",
            InvalidParameterValue,
            "INVALID_PARAMETER_VALUE",
            "'System' is a reserved name: choose another.",
        ),
        (
            "a.b",
            InvalidParameterValue,
            "INVALID_PARAMETER_VALUE",
            "'a.b' is not a valid name: it must have 1 to 255 bytes and no period, space, slash, "
            "back-quote or control character.",
        ),
    ],
)
def test_a_catalog_that_cannot_be_created(
    client: WorkspaceClient, name: str, error: type[DatabricksError], code: str, message: str
) -> None:
    refused(error, code, message, lambda: client.catalogs.create(name))
    assert [catalog.name for catalog in client.catalogs.list()] == ["main"]


def test_a_catalog_that_the_engine_does_not_serve_is_not_there(
    client: WorkspaceClient, workspace: CatalogWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise LocalWorkspaceError("The Spark engine did not start.")

    monkeypatch.setattr(workspace, "serve_catalogs", fail)
    client.api_client._cfg.retry_timeout_seconds = 1
    with pytest.raises(InternalError):
        client.catalogs.create("wind")
    assert [catalog.name for catalog in client.catalogs.list()] == ["main"]


def test_what_catalogs_have_not_here(client: WorkspaceClient) -> None:
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace needs the catalog 'main', in which sessions begin: delete its schemas "
        "instead.",
        lambda: client.catalogs.delete("main", force=True),
    )
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace does not support storage_root of a catalog.",
        lambda: client.catalogs.create("other", storage_root="s3://b"),
    )
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace does not support new_name of a catalog.",
        lambda: client.catalogs.update("main", new_name="other"),
    )
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "UpdateCatalog Nothing to update",
        lambda: client.catalogs.update("main"),
    )


# Schemas


def test_a_schema_is_created_shown_changed_and_deleted(client: WorkspaceClient) -> None:
    created = client.schemas.create("Wind", "main", comment="of change", properties={"a": "1"})
    assert (created.full_name, created.comment) == ("main.wind", "of change")
    assert created.owner == "local@localhost"
    assert client.schemas.get("main.WIND") == created
    assert [schema.name for schema in client.schemas.list("main")] == ["default", "wind"]

    changed = client.schemas.update("main.wind", comment="calm", properties={"b": "2"})
    assert (changed.comment, changed.properties) == ("calm", {"b": "2"})
    assert changed.schema_id == created.schema_id

    client.schemas.delete("main.wind")
    message = "Schema 'main.wind' does not exist."
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", message, lambda: client.schemas.get("main.wind"))


def test_schemas_are_listed_in_pages(client: WorkspaceClient) -> None:
    for name in ("hydro", "solar", "wind"):
        client.schemas.create(name, "main")
    listed = [schema.name for schema in client.schemas.list("main", max_results=3)]
    assert listed == ["default", "hydro", "solar", "wind"]
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "page_token and max_results must not be negative.",
        lambda: list(client.schemas.list("main", page_token="-1")),
    )


def test_a_schema_that_exists_is_not_created_again(client: WorkspaceClient) -> None:
    refused(
        ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        "Schema 'main.default' already exists.",
        lambda: client.schemas.create("DEFAULT", "main"),
    )


@pytest.mark.parametrize("name", ["a.b", "a b", "a/b", "..", "a\nb", "a`b", "ä" * 128])
def test_names_that_are_no_names_are_refused(client: WorkspaceClient, name: str) -> None:
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        f"'{name}' is not a valid name: it must have 1 to 255 bytes and no period, space, slash, "
        "back-quote or control character.",
        lambda: client.schemas.create(name, "main"),
    )


def test_full_names_need_all_their_parts(client: WorkspaceClient) -> None:
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "'wind' is not a valid name: expected catalog.schema.",
        lambda: client.schemas.get("wind"),
    )


def test_names_in_back_quotes_mean_the_same(client: WorkspaceClient) -> None:
    client.schemas.create("`off-shore`", "`main`")
    assert client.schemas.get("main.`off-shore`").full_name == "main.off-shore"
    assert client.schemas.get("main.off-shore").name == "off-shore"


def test_what_a_schema_cannot_have_is_refused(client: WorkspaceClient) -> None:
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace does not support storage_root of a schema.",
        lambda: client.schemas.create("wind", "main", storage_root="s3://bucket"),
    )
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "UpdateSchema Nothing to update",
        lambda: client.schemas.update("main.default"),
    )


def test_a_schema_that_holds_something_is_deleted_by_force_alone(
    client: WorkspaceClient, uc: UnityCatalog
) -> None:
    client.schemas.create("wind", "main")
    volume = client.volumes.create("main", "wind", "landing", VolumeType.MANAGED)
    table = uc.create_table("wind", "shares").json()
    folder_of(table).mkdir()
    refused(
        BadRequest,
        "INVALID_STATE",
        "Schema 'main.wind' is not empty. The schema has 1 tables(s), 0 functions(s), 1 volumes(s)",
        lambda: client.schemas.delete("main.wind"),
    )
    assert folder_of(table).exists()
    assert volume.storage_location is not None
    volume_folder = Path(volume.storage_location.removeprefix("file://"))
    assert volume_folder.is_dir()

    client.schemas.delete("main.wind", force=True)
    assert not folder_of(table).exists()
    assert not volume_folder.exists()
    assert not client.tables.exists("main.wind.shares").table_exists


# Tables


def test_a_managed_table_takes_over_its_staging_table(
    client: WorkspaceClient, uc: UnityCatalog, workspace: CatalogWorkspace
) -> None:
    staged = uc.stage("default", "`Shares`")
    assert staged["name"] == "shares"
    assert staged["staging_location"] == f"file://{workspace.state.tables / staged['id']}"
    created = uc.create_table(
        "default", "Shares", storage_location=staged["staging_location"], comment="of electricity"
    ).json()
    assert created["table_id"] == staged["id"]

    table = client.tables.get("main.default.shares")
    assert (table.full_name, table.comment) == ("main.default.shares", "of electricity")
    assert (table.table_type, table.data_source_format) == (
        TableType.MANAGED,
        DataSourceFormat.DELTA,
    )
    assert table.columns == [INT]
    assert [listed.name for listed in client.tables.list("main", "default")] == ["shares"]
    assert client.tables.exists("main.default.shares").table_exists


def test_a_staging_table_is_used_once_and_for_its_own_name(
    uc: UnityCatalog,
) -> None:
    location = uc.stage("default", "shares")["staging_location"]
    for name, status in [("other", 400), ("shares", 200)]:
        assert uc.create_table("default", name, storage_location=location).status_code == status
    again = uc.create_table("default", "again", storage_location=location)
    assert again.json() == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": f"Managed table 'main.default.again' has no staging table at '{location}'; "
        "create it with CREATE TABLE in Spark SQL.",
    }


@pytest.mark.usefixtures("table")
def test_a_table_that_exists_is_not_created_again(uc: UnityCatalog) -> None:
    answer = uc.create_table("default", "SHARES")
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "error_code": "RESOURCE_ALREADY_EXISTS",
            "message": "Table 'main.default.shares' already exists.",
        },
    )


def test_a_managed_table_is_a_delta_table(uc: UnityCatalog) -> None:
    answer = uc.create_table("default", "shares", data_source_format="PARQUET")
    assert answer.json() == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": "Managed table 'main.default.shares' cannot be stored as PARQUET, only as DELTA: create it "
        "USING DELTA, or set spark.sql.sources.default to delta in the Spark session.",
    }


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        (
            {"table_type": "VIEW"},
            "FEATURE_DISABLED",
            "The local workspace has no tables of type VIEW.",
        ),
        (
            {"schema_name": "nowhere"},
            "RESOURCE_DOES_NOT_EXIST",
            "Schema 'main.nowhere' does not exist.",
        ),
        ({"name": None}, "INVALID_PARAMETER_VALUE", "Missing required field: name"),
    ],
)
def test_tables_that_cannot_be(
    uc: UnityCatalog, changes: dict[str, Any], code: str, message: str
) -> None:
    answer = uc.create_table("default", "shares", **changes)
    assert answer.json() == {"error_code": code, "message": message}


def test_dropping_a_managed_table_removes_its_files(
    client: WorkspaceClient, table: dict[str, Any]
) -> None:
    (folder_of(table) / "_delta_log").mkdir(parents=True)
    client.tables.delete("main.default.shares")
    assert not folder_of(table).exists()
    message = "Table 'main.default.shares' does not exist."
    again = partial(client.tables.delete, "main.default.shares")
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", message, again)
    get = partial(client.tables.get, "main.default.shares")
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", message, get)


def test_tables_and_volumes_are_listed_in_pages(client: WorkspaceClient, uc: UnityCatalog) -> None:
    for name in "cab":
        uc.create_table("default", name)
        client.volumes.create("main", "default", name, VolumeType.MANAGED)
    tables = client.tables.list("main", "default", max_results=2)
    assert [table.name for table in tables] == ["a", "b", "c"]
    (bare, *_) = client.tables.list(
        "main", "default", omit_columns=True, omit_properties=True, omit_username=True
    )
    assert (bare.columns, bare.properties, bare.owner) == ([], None, None)
    volumes = client.volumes.list("main", "default", max_results=2)
    assert [volume.name for volume in volumes] == ["a", "b", "c"]


@pytest.mark.usefixtures("table")
def test_a_table_has_another_owner(client: WorkspaceClient) -> None:
    client.tables.update("main.default.shares", owner="someone@else")
    assert client.tables.get("main.default.shares").owner == "someone@else"


def test_what_is_dropped_and_made_again_is_new(
    client: WorkspaceClient, uc: UnityCatalog, table: dict[str, Any]
) -> None:
    uc.commit(table, 1)
    client.volumes.create("main", "default", "landing", VolumeType.MANAGED)
    client.files.upload("/Volumes/main/default/landing/x", io.BytesIO(b"old"))
    client.tables.delete("main.default.shares")
    client.volumes.delete("main.default.landing")

    again = uc.create_table("default", "shares").json()
    client.volumes.create("main", "default", "landing", VolumeType.MANAGED)

    assert again["table_id"] != table["table_id"]
    assert uc.commits(again) == {"commits": [], "latest_table_version": -1}
    assert uc.commit(table, 2).status_code == 404
    assert list(client.files.list_directory_contents("/Volumes/main/default/landing")) == []


def test_dropping_an_external_table_keeps_its_files(
    client: WorkspaceClient, tmp_path: Path
) -> None:
    client.tables.create(
        "shares", "main", "default", TableType.EXTERNAL, DataSourceFormat.DELTA, f"{tmp_path}/mine/"
    )
    (tmp_path / "mine").mkdir()
    assert client.tables.get("main.default.shares").storage_location == f"{tmp_path}/mine"
    client.tables.delete("main.default.shares")
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize("location", ["s3://bucket/t", "abfss://c@a.dfs.core.windows.net/t", "t"])
def test_an_external_table_is_on_this_machine(client: WorkspaceClient, location: str) -> None:
    kind = TableType.EXTERNAL, DataSourceFormat.DELTA
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        f"No parent external location was found for path '{location}'. The local workspace has no "
        "external locations: name an absolute path of this machine.",
        lambda: client.tables.create("t", "main", "default", *kind, location),
    )


def test_tables_of_all_schemas_are_summarised(client: WorkspaceClient, uc: UnityCatalog) -> None:
    client.schemas.create("wind", "main")
    for schema, name in [("wind", "farms"), ("default", "farms"), ("default", "shares")]:
        uc.create_table(schema, name)
    every = client.tables.list_summaries("main", max_results=2)
    assert [table.full_name for table in every] == [
        "main.default.farms",
        "main.default.shares",
        "main.wind.farms",
    ]
    (found,) = client.tables.list_summaries(
        "main", schema_name_pattern="WIN_", table_name_pattern="f%"
    )
    assert (found.full_name, found.table_type) == ("main.wind.farms", TableType.MANAGED)
    message = "Catalog 'other' does not exist."
    summaries = partial(client.tables.list_summaries, "other")
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", message, lambda: list(summaries()))


def test_tables_outlive_the_server_and_leftovers_do_not(
    tmp_path: Path, switchboard: Switchboard, uc: UnityCatalog, table: dict[str, Any]
) -> None:
    folder_of(table).mkdir()
    staged = Path(uc.stage("default", "never")["staging_location"].removeprefix("file://"))
    staged.mkdir()
    with plugged_in(switchboard, tmp_path / "state") as restarted:
        restarted.catalog.tables.remove_leftovers()
        again = UnityCatalog(restarted)
        client = WorkspaceClient(host=restarted.url, token=restarted.token, auth_type="pat")
        assert client.tables.get("main.default.shares").table_id == table["table_id"]
        assert folder_of(table).exists()
        assert not staged.exists()
        late = again.create_table("default", "never", storage_location=f"file://{staged}")
        assert late.status_code == 400


# Delta commits


def test_all_commits_are_listed_published_or_not(uc: UnityCatalog, table: dict[str, Any]) -> None:
    assert uc.commits(table) == {"commits": [], "latest_table_version": -1}
    for version in (1, 2, 3):
        assert uc.commit(table, version, f"{version}.json").json() == {}
    published = {**location_of(table), "latest_backfilled_version": 2}
    assert uc.call("POST", "delta/preview/commits", published).status_code == 200
    listed = uc.commits(table)
    assert [commit["version"] for commit in listed["commits"]] == [1, 2, 3]
    assert listed["latest_table_version"] == 3
    assert listed["commits"][1] == {
        "version": 2,
        "timestamp": 1002,
        "file_name": "2.json",
        "file_size": 20,
        "file_modification_timestamp": 2002,
    }
    assert uc.commits(table, start_version=2, end_version=2)["commits"] == [listed["commits"][1]]


@pytest.mark.parametrize("version", [0, 1, 3])
def test_only_the_next_version_is_ratified(
    uc: UnityCatalog, table: dict[str, Any], version: int
) -> None:
    uc.commit(table, 1)
    answer = uc.commit(table, version)
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "error_code": "RESOURCE_CONFLICT",
            "message": f"Version {version} of table 'main.default.shares' cannot be committed: "
            "the next version is 2.",
        },
    )


def test_to_ask_for_a_version_again_changes_nothing(
    uc: UnityCatalog, table: dict[str, Any]
) -> None:
    """As a writer does that was not told the answer."""
    for _ in range(2):
        assert uc.commit(table, 1, "1.json").status_code == 200
    assert uc.commit(table, 2, "2.json").status_code == 200
    assert uc.commit(table, 1, "1.json").status_code == 200
    assert [one["file_name"] for one in uc.commits(table)["commits"]] == ["1.json", "2.json"]


def test_of_many_writers_of_a_version_one_wins(
    workspace: CatalogWorkspace, table: dict[str, Any]
) -> None:
    def write(_: int) -> list[int]:
        writer = UnityCatalog(workspace)
        return [writer.commit(table, version).status_code for version in (1, 2, 3)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(8)))
    for version in range(3):
        assert sorted(answer[version] for answer in answers) == [200, *[409] * 7]


def test_a_refused_commit_changes_nothing(uc: UnityCatalog, table: dict[str, Any]) -> None:
    uc.commit(table, 1)
    metadata = {"description": "not this"}
    assert uc.commit(table, 1, latest_backfilled_version=1, metadata=metadata).status_code == 409
    assert len(uc.commits(table)["commits"]) == 1


def test_a_commit_changes_what_the_catalog_shows(
    uc: UnityCatalog, table: dict[str, Any], client: WorkspaceClient
) -> None:
    new = ColumnInfo(name="share", type_name=ColumnTypeName.DOUBLE, position=1)
    metadata = {
        "description": "with share",
        "schema": {"columns": [INT.as_dict(), new.as_dict()]},
        "properties": {"properties": {"delta.appendOnly": "true"}},
    }
    uc.commit(table, 1, metadata=metadata)
    shown = client.tables.get("main.default.shares")
    assert (shown.comment, shown.columns) == ("with share", [INT, new])
    assert shown.properties == {"delta.appendOnly": "true"}


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"table_id": "none"}, 404, "Table with id 'none' does not exist."),
        (
            {"table_uri": "file:///else"},
            400,
            "Table 'main.default.shares' is not stored at 'file:///else'.",
        ),
        (
            {"latest_backfilled_version": 1},
            400,
            "Version 1 of table 'main.default.shares' cannot be published: the latest version is 0.",
        ),
        (
            {"commit_info": None},
            400,
            "Missing required field: commit_info or latest_backfilled_version",
        ),
        (
            {"uniform": {"iceberg": {}}},
            400,
            "The local workspace does not support uniform of a Delta commit.",
        ),
    ],
)
def test_commits_that_are_refused(
    uc: UnityCatalog, table: dict[str, Any], changes: dict[str, Any], status: int, message: str
) -> None:
    answer = uc.commit(table, 1, **changes)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert uc.commits(table)["latest_table_version"] == -1


# Grants


def test_grants_are_stored_and_shown(client: WorkspaceClient) -> None:
    changes = [
        PermissionsChange(add=[Privilege.USE_SCHEMA, Privilege.SELECT], principal="users"),
        PermissionsChange(add=[Privilege.ALL_PRIVILEGES], principal="me@there"),
    ]
    client.grants.update("schema", "main.default", changes=changes)
    expected = [
        PrivilegeAssignment("me@there", [Privilege.ALL_PRIVILEGES]),
        PrivilegeAssignment("users", [Privilege.SELECT, Privilege.USE_SCHEMA]),
    ]
    shown = client.grants.get("SCHEMA", "main.default").privilege_assignments
    assert shown == expected
    one = client.grants.get("schema", "main.default", principal="users").privilege_assignments
    assert one == expected[1:]

    removal = [PermissionsChange(remove=[Privilege.ALL_PRIVILEGES], principal="users")]
    left = client.grants.update("schema", "main.default", changes=removal).privilege_assignments
    assert left == expected[:1]


@pytest.mark.parametrize("kind", ["catalog", "schema", "table", "volume"])
def test_every_kind_of_object_has_grants(
    client: WorkspaceClient, table: dict[str, Any], kind: str
) -> None:
    client.volumes.create("main", "default", "landing", VolumeType.MANAGED)
    names = {"catalog": "main", "schema": "main.default", "volume": "main.default.landing"}
    name = names.get(kind, table["full_name"])
    change = PermissionsChange(add=[Privilege.MANAGE], principal="users")
    client.grants.update(kind, name, changes=[change])
    shown = client.grants.get(kind, name).privilege_assignments
    assert shown == [PrivilegeAssignment("users", [Privilege.MANAGE])]


@pytest.mark.usefixtures("table")
def test_effective_grants_are_inherited(client: WorkspaceClient) -> None:
    for kind, name, privilege, principal in (
        ("catalog", "main", Privilege.USE_CATALOG, "users"),
        ("schema", "main.default", Privilege.SELECT, "users"),
        ("table", "main.default.shares", Privilege.MODIFY, "users"),
        ("schema", "main.default", Privilege.MANAGE, "me@there"),
    ):
        change = PermissionsChange(add=[privilege], principal=principal)
        client.grants.update(kind, name, changes=[change])
    effective = client.grants.get_effective("table", "main.Default.shares", principal="users")
    assert effective.privilege_assignments == [
        EffectivePrivilegeAssignment(
            "users",
            [
                EffectivePrivilege("main", SecurableType.CATALOG, Privilege.USE_CATALOG),
                EffectivePrivilege("main.default", SecurableType.SCHEMA, Privilege.SELECT),
                EffectivePrivilege(privilege=Privilege.MODIFY),
            ],
        )
    ]
    on_schema = client.grants.get_effective("schema", "main.default").privilege_assignments or []
    assert [assignment.principal for assignment in on_schema] == ["me@there", "users"]


def test_grants_go_with_their_object(client: WorkspaceClient, workspace: CatalogWorkspace) -> None:
    client.schemas.create("wind", "main")
    client.volumes.create("main", "wind", "landing", VolumeType.MANAGED)
    change = [PermissionsChange(add=[Privilege.READ_VOLUME], principal="users")]
    client.grants.update("volume", "main.wind.landing", changes=change)
    client.schemas.delete("main.wind", force=True)
    assert workspace.db.all("SELECT * FROM grants") == []


def test_grants_that_are_refused(client: WorkspaceClient) -> None:
    both = PermissionsChange(add=[Privilege.SELECT], remove=[Privilege.SELECT], principal="users")
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "Duplicate privileges to add and delete for principal users.",
        lambda: client.grants.update("schema", "main.default", changes=[both]),
    )
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace has no grants on 'metastore', only on catalog, schema, table, volume.",
        lambda: client.grants.get("metastore", "main"),
    )
    refused(
        NotFound,
        "RESOURCE_DOES_NOT_EXIST",
        "Table 'main.default.none' does not exist.",
        lambda: client.grants.get("table", "main.default.none"),
    )


def test_no_operation_waits_for_an_acknowledgement(uc: UnityCatalog, table: dict[str, Any]) -> None:
    durations = []
    for version in range(1, 51):
        started = time.perf_counter()
        uc.commit(table, version)
        durations.append(time.perf_counter() - started)
    # Nagle's algorithm and delayed acknowledgements add 40 ms to all but the first; other work slows only some down.
    assert sorted(durations)[10] < 0.04
