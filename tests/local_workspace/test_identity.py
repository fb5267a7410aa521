from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from databricks.sdk import WorkspaceClient
from serving import Switchboard
from workspace_parts import BundleWorkspace, bundle_workspace


@pytest.fixture
def workspace(switchboard: Switchboard, tmp_path: Path) -> Iterator[BundleWorkspace]:
    with bundle_workspace(switchboard, tmp_path / "state") as served:
        yield served


def test_the_one_user_is_an_administrator(client: WorkspaceClient) -> None:
    me = client.current_user.me()
    assert (me.user_name, me.display_name, me.active) == (
        "local@localhost",
        "local@localhost",
        True,
    )
    assert [group.display for group in me.groups or []] == ["admins", "users"]
    assert client.get_workspace_id() == 1


def test_a_host_tells_what_it_is_without_a_token(workspace: BundleWorkspace) -> None:
    answer = requests.get(f"{workspace.url}/.well-known/databricks-config").json()
    assert answer["workspace_id"] == "1"
    assert answer["oidc_endpoint"] == f"{workspace.url}/oidc"
    refusal = requests.get(f"{workspace.url}/api/2.0/preview/scim/v2/Me")
    assert (refusal.status_code, refusal.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_telemetry_counts_as_received(client: WorkspaceClient) -> None:
    body = {"uploadTime": 1, "items": [], "protoLogs": ["{}", "{}"]}
    answer = client.api_client.do("POST", "/telemetry-ext", body=body)
    assert answer == {"errors": [], "numProtoSuccess": 2}
