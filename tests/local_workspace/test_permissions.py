from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.iam import AccessControlRequest, ObjectPermissions, PermissionLevel
from expect import refused
from serving import Switchboard
from workspace_parts import BundleWorkspace, bundle_workspace

OWNER = AccessControlRequest(user_name="local@localhost", permission_level=PermissionLevel.IS_OWNER)
INHERITED = ("admins", "CAN_MANAGE", True)


@pytest.fixture
def workspace(switchboard: Switchboard, tmp_path: Path) -> Iterator[BundleWorkspace]:
    with bundle_workspace(switchboard, tmp_path / "state") as served:
        yield served


@pytest.fixture
def job_id(workspace: BundleWorkspace) -> str:
    return str(workspace.jobs.create({"name": "j"}))


def levels(permissions: ObjectPermissions) -> list[tuple[str | None, str, bool | None]]:
    return [
        (
            entry.user_name or entry.group_name or entry.service_principal_name,
            permission.permission_level.value if permission.permission_level else "",
            permission.inherited,
        )
        for entry in permissions.access_control_list or []
        for permission in entry.all_permissions or []
    ]


def group(name: str, level: PermissionLevel) -> AccessControlRequest:
    return AccessControlRequest(group_name=name, permission_level=level)


def test_a_new_job_belongs_to_its_creator(client: WorkspaceClient, job_id: str) -> None:
    found = client.permissions.get("jobs", job_id)
    assert (found.object_id, found.object_type) == (f"/jobs/{job_id}", "job")
    assert levels(found) == [("local@localhost", "IS_OWNER", False), INHERITED]


def test_set_replaces_and_update_adds(client: WorkspaceClient, job_id: str) -> None:
    view, manage = PermissionLevel.CAN_VIEW, PermissionLevel.CAN_MANAGE
    client.permissions.set(
        "jobs", job_id, access_control_list=[group("b", view), OWNER, group("a", view)]
    )
    client.permissions.update("jobs", job_id, access_control_list=[group("b", manage)])
    assert levels(client.permissions.get("jobs", job_id)) == [
        ("b", "CAN_MANAGE", False),
        ("local@localhost", "IS_OWNER", False),
        ("a", "CAN_VIEW", False),
        INHERITED,
    ]
    client.permissions.set("jobs", job_id, access_control_list=[OWNER])
    assert levels(client.permissions.get("jobs", job_id))[1:] == [INHERITED]


def test_the_levels_of_a_type_are_told(client: WorkspaceClient, job_id: str) -> None:
    levels = client.permissions.get_permission_levels("jobs", job_id).permission_levels or []
    assert [level.permission_level.value for level in levels if level.permission_level] == [
        *("IS_OWNER", "CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW")
    ]
    with pytest.raises(ResourceDoesNotExist, match=r"Job 5 does not exist\."):
        client.permissions.get_permission_levels("jobs", "5")


def test_a_job_has_exactly_one_owner(client: WorkspaceClient, job_id: str) -> None:
    other = AccessControlRequest(
        service_principal_name="sp", permission_level=PermissionLevel.IS_OWNER
    )
    for entries in ([group("a", PermissionLevel.CAN_VIEW)], [OWNER, other], []):
        refused(
            InvalidParameterValue,
            "INVALID_PARAMETER_VALUE",
            "The job must have exactly one owner.",
            lambda entries=entries: client.permissions.set(  # type: ignore[misc]
                "jobs", job_id, access_control_list=entries
            ),
        )


def test_a_folder_is_named_by_its_id(client: WorkspaceClient) -> None:
    folder = str(client.workspace.get_status("/Shared").object_id)
    assert levels(client.permissions.get("directories", folder)) == [INHERITED]
    entries = [group("users", PermissionLevel.CAN_READ)]
    client.permissions.set("directories", folder, access_control_list=entries)
    assert levels(client.permissions.get("directories", folder)) == [
        ("users", "CAN_READ", False),
        INHERITED,
    ]


def test_what_is_not_there_or_not_possible_is_refused(client: WorkspaceClient, job_id: str) -> None:
    refused(
        ResourceDoesNotExist,
        "RESOURCE_DOES_NOT_EXIST",
        "Job 4 does not exist.",
        lambda: client.permissions.get("jobs", "4"),
    )
    refused(
        ResourceDoesNotExist,
        "RESOURCE_DOES_NOT_EXIST",
        "jobs/x does not exist.",
        lambda: client.permissions.get("jobs", "x"),
    )
    refused(
        BadRequest,
        "FEATURE_DISABLED",
        "The local workspace has no permissions for sql/warehouses; "
        "it has jobs, directories, notebooks, files.",
        lambda: client.permissions.get("sql/warehouses", "1"),
    )
    refused(
        InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "Invalid permission level 'CAN_RESTART'; "
        "there are IS_OWNER, CAN_MANAGE, CAN_MANAGE_RUN, CAN_VIEW.",
        lambda: client.permissions.update(
            "jobs", job_id, access_control_list=[group("a", PermissionLevel.CAN_RESTART)]
        ),
    )


def test_a_new_object_is_owned_though_its_permissions_name_no_owner(
    workspace: BundleWorkspace, job_id: str
) -> None:
    entries = [{"group_name": "a", "permission_level": "CAN_VIEW"}]
    workspace.permissions.create("jobs", job_id, entries)
    assert [entry.level for entry in workspace.permissions.get("jobs", job_id)] == [
        "CAN_VIEW",
        "IS_OWNER",
    ]
