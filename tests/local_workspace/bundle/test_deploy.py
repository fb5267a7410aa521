from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.workspace import ImportFormat
from workspace_parts import BundleWorkspace

from local_workspace.bundle import resources
from local_workspace.bundle.deploy import Summary, deploy, deployed_job_ids
from local_workspace.bundle.errors import (
    DeploymentLocked,
    DestructiveChange,
    IncompatibleState,
    MissingWheel,
    ReferenceCycle,
    UnknownVariable,
)

from .conftest import Write

ROOT = "/Workspace/Users/local@localhost/.bundle/shop/local"
STORAGE, ORDERS, AUDIT = (
    "resources/storage.yml",
    "resources/orders.yml",
    "resources/audit.yml",
)
WHEEL = "shop-0.1.0-py3-none-any.whl"

SHOP = {
    "databricks.yml": f"""
        bundle: {{name: shop}}
        include: [resources/*.yml]
        artifacts:
          wheel: {{type: whl, build: "mkdir -p dist && cat shop.py > dist/{WHEEL}"}}
        targets: {{local: }}
    """,
    "resources/storage.yml": """
        resources:
          schemas:
            sales: {catalog_name: main, name: sales, comment: all sales}
          volumes:
            inbox: {catalog_name: main, schema_name: sales, name: inbox}
    """,
    "resources/orders.yml": """
        resources:
          jobs:
            orders:
              name: shop_orders
              parameters:
                - {name: schema, default: "${resources.volumes.inbox.schema_name}"}
                - {name: volume_id, default: "${resources.volumes.inbox.volume_id}"}
              tasks:
                - task_key: load
                  existing_cluster_id: c
                  python_wheel_task: {package_name: shop, entry_point: load}
                  libraries: [{whl: ../dist/*.whl}]
    """,
    "resources/audit.yml": """
        resources:
          jobs:
            audit:
              name: shop_audit
              tasks:
                - task_key: look
                  notebook_task: {notebook_path: ../look.py}
                - task_key: again
                  run_job_task: {job_id: "${resources.jobs.orders.id}"}
    """,
    ".gitignore": "dist/\n.databricks/\n",
    "shop.py": "print('shop')\n",
    "look.py": "# Databricks notebook source\nprint(1)\n",
    "data/prices.csv": "a,b\n",
}
SENT = {
    ".gitignore",
    "databricks.yml",
    "resources/storage.yml",
    "resources/orders.yml",
    "resources/audit.yml",
    "shop.py",
    "look",
    "data/prices.csv",
}

Deploy = Callable[[], Summary]


@pytest.fixture
def project(write: Write) -> Path:
    return write(SHOP)


@pytest.fixture
def run(project: Path, client: WorkspaceClient) -> Deploy:
    return lambda: deploy(project, None, {}, client, lambda _: None)


@pytest.fixture
def edit(project: Path) -> Callable[..., None]:
    """Replaces a part of a file."""

    def replace(name: str, before: str, after: str) -> None:
        file = project / name
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))

    return replace


def mounted(workspace: BundleWorkspace, path: str) -> Path:
    return workspace.state.mounts / f"{ROOT}/{path}".lstrip("/")


def read_state(workspace: BundleWorkspace, name: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(mounted(workspace, f"state/{name}").read_text())
    return state


def settings(client: WorkspaceClient, job_id: int) -> dict[str, Any]:
    found = client.jobs.get(job_id).settings
    assert found is not None
    return found.as_dict()


def test_a_first_deployment_makes_everything(
    run: Deploy, client: WorkspaceClient, workspace: BundleWorkspace, project: Path
) -> None:
    summary = run()
    assert [resource.key for resource in summary.resources] == [
        "jobs.audit",
        "jobs.orders",
        "schemas.sales",
        "volumes.inbox",
    ]
    assert client.schemas.get("main.sales").comment == "all sales"
    volume = client.volumes.read("main.sales.inbox")

    orders = settings(client, summary.job_ids["orders"])
    remote_wheel = f"{ROOT}/artifacts/.internal/{WHEEL}"
    assert orders["tasks"][0]["libraries"] == [{"whl": remote_wheel}]
    assert orders["parameters"] == [
        {"name": "schema", "default": "sales"},
        {"name": "volume_id", "default": volume.volume_id},
    ]
    audit = settings(client, summary.job_ids["audit"])
    again, look = audit["tasks"]
    assert again["run_job_task"]["job_id"] == summary.job_ids["orders"]
    assert look["notebook_task"]["notebook_path"] == f"{ROOT}/files/look"
    assert audit["deployment"]["metadata_file_path"] == f"{ROOT}/state/metadata.json"

    files = mounted(workspace, "files")
    sent = {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()}
    assert sent == SENT
    assert mounted(workspace, f"artifacts/.internal/{WHEEL}").read_text() == "print('shop')\n"
    assert deployed_job_ids(project, None, client) == summary.job_ids
    assert f"jobs.orders    {workspace.url}/jobs/{summary.job_ids['orders']}" in str(summary)


def test_the_state_is_the_clis(run: Deploy, workspace: BundleWorkspace, project: Path) -> None:
    ids = run().job_ids
    state = read_state(workspace, "resources.json")
    assert state["state_version"] == 2
    assert state["state"]["resources.volumes.inbox"] == {
        "__id__": "main.sales.inbox",
        "state": {
            "catalog_name": "main",
            "schema_name": "sales",
            "name": "inbox",
            "volume_type": "MANAGED",
        },
        "depends_on": [
            {"node": "resources.schemas.sales", "label": "${resources.schemas.sales.name}"}
        ],
    }
    assert state["state"]["resources.jobs.orders"]["__id__"] == str(ids["orders"])
    local = project / ".databricks/bundle/local/resources.json"
    assert json.loads(local.read_text()) == state

    uploaded = read_state(workspace, "deployment.json")
    names = {(entry["local_path"], entry["is_notebook"]) for entry in uploaded["files"]}
    assert ("look.py", True) in names
    assert ("shop.py", False) in names
    jobs = read_state(workspace, "metadata.json")["config"]["resources"]["jobs"]
    assert jobs["orders"] == {"id": str(ids["orders"]), "relative_path": "resources/orders.yml"}
    assert not mounted(workspace, "state/deploy.lock").exists()


def test_a_second_deployment_sends_only_what_has_changed(
    run: Deploy, workspace: BundleWorkspace, project: Path
) -> None:
    first = run()
    before = read_state(workspace, "resources.json")
    second = run()
    assert (second.uploaded, second.job_ids) == (0, first.job_ids)
    assert read_state(workspace, "resources.json") == before

    (project / "look.py").write_text("# Databricks notebook source\nprint(2)\n")
    (project / "data/prices.csv").unlink()
    third = run()
    # The changed notebook and the deleted file; the wheel is built again but has not changed.
    assert (third.uploaded, third.job_ids) == (2, first.job_ids)
    assert mounted(workspace, "files/look").read_text().endswith("print(2)\n")
    assert not mounted(workspace, "files/data/prices.csv").exists()

    (project / "shop.py").write_text("print('new')\n")
    assert run().uploaded == 2
    assert mounted(workspace, f"artifacts/.internal/{WHEEL}").read_text() == "print('new')\n"


def test_what_the_cli_has_uploaded_is_sent_again(run: Deploy, workspace: BundleWorkspace) -> None:
    run()
    uploaded = read_state(workspace, "deployment.json")
    for entry in uploaded["files"]:
        del entry["sha256"]
    del uploaded["libraries"]
    mounted(workspace, "state/deployment.json").write_text(json.dumps(uploaded))
    assert run().uploaded == len(SENT) + 1


def test_changed_settings_reach_the_same_resources(
    run: Deploy, client: WorkspaceClient, edit: Callable[..., None]
) -> None:
    first = run()
    edit(STORAGE, "all sales", "sales of the shop")
    edit(STORAGE, "name: inbox", "name: outbox")
    edit(AUDIT, "name: shop_audit", "name: shop_control")
    second = run()
    assert second.job_ids == first.job_ids
    assert client.schemas.get("main.sales").comment == "sales of the shop"
    assert [volume.name for volume in client.volumes.list("main", "sales")] == ["outbox"]
    assert settings(client, first.job_ids["audit"])["name"] == "shop_control"


def test_drift_and_deletions_by_hand_are_undone(run: Deploy, client: WorkspaceClient) -> None:
    first = run()
    client.api_client.do(
        "POST",
        "/api/2.2/jobs/update",
        body={"job_id": first.job_ids["audit"], "new_settings": {"name": "by hand"}},
    )
    client.jobs.delete(first.job_ids["orders"])
    client.volumes.delete("main.sales.inbox")
    second = run()
    assert settings(client, second.job_ids["audit"])["name"] == "shop_audit"
    assert second.job_ids["audit"] == first.job_ids["audit"]
    assert second.job_ids["orders"] != first.job_ids["orders"]
    assert client.volumes.read("main.sales.inbox").name == "inbox"


def test_a_removed_job_is_deleted_and_a_renamed_key_keeps_its_job(
    run: Deploy, client: WorkspaceClient, project: Path, edit: Callable[..., None]
) -> None:
    first = run()
    edit(ORDERS, "orders:", "sales_orders:")
    edit(AUDIT, "jobs.orders.id", "jobs.sales_orders.id")
    second = run()
    assert second.job_ids == {
        "audit": first.job_ids["audit"],
        "sales_orders": first.job_ids["orders"],
    }
    (project / AUDIT).unlink()
    third = run()
    assert third.job_ids == {"sales_orders": first.job_ids["orders"]}
    with pytest.raises(NotFound):
        client.jobs.get(first.job_ids["audit"])


def test_data_is_not_deleted(
    run: Deploy, client: WorkspaceClient, project: Path, edit: Callable[..., None]
) -> None:
    run()
    edit(STORAGE, "name: sales,", "name: turnover,")
    with pytest.raises(DestructiveChange, match=r"main\.sales would have to be deleted, with its"):
        run()
    edit(STORAGE, "name: turnover,", "name: sales,")
    # Another key for the same volume is no reason to delete it, but no key is.
    edit(STORAGE, "inbox: {", "other: {")
    edit(ORDERS, "volumes.inbox", "volumes.other")
    assert run().resources[-1].key == "volumes.other"
    (project / ORDERS).unlink()
    (project / AUDIT).unlink()
    (project / STORAGE).unlink()
    with pytest.raises(DestructiveChange, match=r"resources\.\w+\.\w+ is no longer in the bundle"):
        run()
    assert client.volumes.read("main.sales.inbox").name == "inbox"


def test_a_deployment_that_died_between_creating_and_remembering_makes_no_twins(
    run: Deploy, client: WorkspaceClient, workspace: BundleWorkspace
) -> None:
    first = run()
    mounted(workspace, "state/resources.json").unlink()
    second = run()
    assert second.job_ids == first.job_ids
    assert len(list(client.jobs.list())) == 2


def test_an_unbound_job_is_left_alone_and_a_bound_one_is_taken(
    run: Deploy, client: WorkspaceClient
) -> None:
    unbound = run().job_ids["orders"]
    found = client.jobs.create(name="found").job_id
    path = f"{ROOT}/state/resources.json"
    with client.workspace.download(path) as file:
        stored = json.load(file)
    # As `databricks bundle deployment unbind orders` and `... bind audit <id>` do.
    del stored["state"]["resources.jobs.orders"]
    stored["state"]["resources.jobs.audit"] = {"__id__": str(found), "state": {}}
    client.workspace.upload(
        path, json.dumps(stored).encode(), format=ImportFormat.RAW, overwrite=True
    )

    after = run().job_ids

    assert after["audit"] == found
    assert after["orders"] != unbound
    assert settings(client, found)["name"] == "shop_audit"
    assert settings(client, unbound)["name"] == "shop_orders"


def test_what_failed_half_way_is_finished_by_the_next(
    run: Deploy, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: resources.Jobs, settings: dict[str, Any]) -> str:
        if settings["name"] == "shop_audit":
            raise ConnectionError("the workspace has gone")
        return create(self, settings)

    create = resources.Jobs.create
    with monkeypatch.context() as patched:
        patched.setattr(resources.Jobs, "create", fail)
        with pytest.raises(ConnectionError):
            run()
    (orders,) = client.jobs.list()
    assert run().job_ids["orders"] == orders.job_id


def test_permissions_reach_jobs_and_folder(
    run: Deploy, client: WorkspaceClient, workspace: BundleWorkspace, edit: Callable[..., None]
) -> None:
    permissions = "permissions: [{level: CAN_RUN, group_name: analysts}]\n"
    edit("databricks.yml", "targets:", f"{permissions}targets:")
    summary = run()
    entries = client.permissions.get("jobs", str(summary.job_ids["orders"])).access_control_list
    assert [entry.group_name or entry.user_name for entry in entries or []] == [
        "analysts",
        "local@localhost",
        "admins",
    ]
    folder = client.workspace.get_status(ROOT)
    shared = client.permissions.get("directories", str(folder.object_id)).access_control_list
    assert [entry.group_name for entry in shared or []] == ["analysts", "admins"]
    key = "resources.jobs.orders.permissions"
    object_path = f"/jobs/{summary.job_ids['orders']}"
    assert read_state(workspace, "resources.json")["state"][key]["state"] == {
        "object_id": object_path,
        "__embed__": [
            {"level": "CAN_MANAGE_RUN", "group_name": "analysts"},
            {"level": "IS_OWNER", "user_name": "local@localhost"},
        ],
    }
    edit("databricks.yml", permissions, "")
    run()
    assert key not in read_state(workspace, "resources.json")["state"]


@pytest.fixture
def lock(workspace: BundleWorkspace, client: WorkspaceClient) -> Callable[..., Path]:
    """Writes a lock as somebody else would."""

    def held(**fields: Any) -> Path:
        client.workspace.mkdirs(f"{ROOT}/state")
        file = mounted(workspace, "state/deploy.lock")
        content = {"ID": "1", "AcquisitionTime": "2026-01-01T00:00:00Z", "User": "ann"}
        file.write_text(json.dumps({**content, "IsForced": False, **fields}))
        return file

    return held


def test_a_held_lock_is_respected(
    run: Deploy,
    lock: Callable[..., Path],
    edit: Callable[..., None],
    project: Path,
    client: WorkspaceClient,
) -> None:
    process = psutil.Process()
    host = {"Host": socket.gethostname(), "ProcessStarted": process.create_time()}
    for fields in ({}, {**host, "Process": os.getpid()}, {"Host": "elsewhere", "Process": 1}):
        file = lock(**fields)
        with pytest.raises(DeploymentLocked) as refusal:
            run()
        assert str(refusal.value) == (
            f"{ROOT}/state/deploy.lock: ann has been deploying this target since "
            "2026-01-01T00:00:00Z. Wait for it; if it has died, deploy with --force-lock."
        )
        assert file.exists()
    deploy(project, None, {}, client, lambda _: None, force_lock=True)
    assert not file.exists()
    file = lock()
    edit("databricks.yml", "{name: shop}", "{name: shop, deployment: {lock: {force: true}}}")
    run()
    assert not file.exists()


def test_the_lock_of_a_dead_process_is_void(run: Deploy, lock: Callable[..., Path]) -> None:
    host = socket.gethostname()
    lock(Host=host, Process=2**22 + 1, ProcessStarted=1.0)
    run()
    lock(Host=host, Process=os.getpid(), ProcessStarted=1.0)
    run()


@pytest.mark.parametrize(
    ("file", "before", "after", "error", "message"),
    [
        (
            AUDIT,
            "${resources.jobs.orders.id}",
            "${resources.jobs.order.id}",
            UnknownVariable,
            "resources.jobs.audit refers to resources.jobs.order, which the bundle does not have.",
        ),
        (
            AUDIT,
            "${resources.jobs.orders.id}",
            "${resources.jobs.audit.id}",
            ReferenceCycle,
            "resources.jobs.audit -> resources.jobs.audit refer to each other; break the circle.",
        ),
        (
            ORDERS,
            "../dist/*.whl",
            "../lib/*.whl",
            MissingWheel,
            "resources.jobs.orders.load names the library lib/*.whl, and no file matches",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_done(
    run: Deploy,
    client: WorkspaceClient,
    edit: Callable[..., None],
    file: str,
    before: str,
    after: str,
    error: type[Exception],
    message: str,
) -> None:
    edit(file, before, after)
    with pytest.raises(error) as refusal:
        run()
    assert message in str(refusal.value)
    with pytest.raises(NotFound):
        client.workspace.get_status(ROOT)


def test_a_newer_state_is_left_alone(run: Deploy, workspace: BundleWorkspace) -> None:
    run()
    file = mounted(workspace, "state/resources.json")
    state = json.dumps({**json.loads(file.read_text()), "state_version": 4})
    file.write_text(state)
    with pytest.raises(IncompatibleState, match=r"has the version 4; the local deployer knows 2\."):
        run()
    assert file.read_text() == state


def test_after_a_reset_of_the_workspace_all_is_made_anew(
    run: Deploy, client: WorkspaceClient, workspace: BundleWorkspace
) -> None:
    run()
    shutil.rmtree(mounted(workspace, "."))
    for job in list(client.jobs.list()):
        client.jobs.delete(job.job_id or 0)
    assert run().uploaded == len(SENT) + 1
    assert mounted(workspace, "files/shop.py").exists()
