"""What a bundle becomes, held to what `databricks bundle validate -o json` printed for the same files."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from local_workspace.bundle.errors import (
    BundleError,
    InvalidSetting,
    InvalidTarget,
    InvalidVariable,
    MissingFile,
    UnknownTarget,
    UnknownVariable,
    UnsupportedSetting,
)
from local_workspace.bundle.resolve import resolve

from .conftest import Write

NOTEBOOK = "# Databricks notebook source\n"
HOME = "/Workspace/Users/local@localhost/.bundle/shop"

SHOP = {
    "databricks.yml": """
        bundle: {name: shop}
        include: [jobs/*.yml]
        variables:
          runs: {default: 3}
          ratio: {default: 1.50}
          warehouse: {lookup: {warehouse: Serverless Starter Warehouse}}
          cluster:
            type: complex
            default: {node_type_id: small, custom_tags: {for: "${bundle.target}-${var.runs}"}}
        resources:
          schemas:
            sales: {catalog_name: main, name: sales}
          volumes:
            inbox: {catalog_name: main, schema_name: sales, name: inbox}
        targets:
          plain: {default: true}
          dev:
            mode: development
            variables: {runs: 5}
          prod:
            mode: production
            workspace: {root_path: "/Shared/${bundle.name}"}
            permissions:
              - {level: CAN_RUN, group_name: analysts}
            resources:
              jobs:
                orders:
                  tasks:
                    - {task_key: load, max_retries: 2}
                    - task_key: audit
                      sql_task: {warehouse_id: "${var.warehouse}", file: {path: sql/audit.sql}}
    """,
    "jobs/orders.yml": """
        resources:
          jobs:
            orders:
              name: orders_${var.ratio}
              max_concurrent_runs: ${var.runs}
              description: ""
              schedule: {quartz_cron_expression: "0 0 * * * ?", timezone_id: UTC}
              parameters:
                - {name: inbox, default: "${resources.volumes.inbox.volume_path}"}
                - {name: schema, default: "${resources.schemas.sales.name}"}
                - {name: empty, default: ""}
              job_clusters:
                - {job_cluster_key: main, new_cluster: "${var.cluster}"}
              tasks:
                - task_key: load
                  job_cluster_key: main
                  notebook_task: {notebook_path: ../notebooks/load.py, base_parameters: {n: 1}}
                  libraries: [{whl: ../dist/*.whl}]
                - task_key: each
                  for_each_task:
                    inputs: "[1]"
                    task:
                      task_key: one
                      job_cluster_key: main
                      spark_python_task: {python_file: ../main.py}
    """,
    "notebooks/load.py": NOTEBOOK,
    "main.py": "print(1)\n",
    "sql/audit.sql": "SELECT 1\n",
}


def deployment(target: str, root: str | None = None) -> dict[str, Any]:
    state = root or f"{HOME}/{target}"
    return {
        "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{state}/state/metadata.json"},
        "edit_mode": "UI_LOCKED",
        "format": "MULTI_TASK",
    }


def tasks(files: str) -> list[dict[str, Any]]:
    return [
        {
            "task_key": "each",
            "for_each_task": {
                "inputs": "[1]",
                "task": {
                    "task_key": "one",
                    "job_cluster_key": "main",
                    "spark_python_task": {"python_file": f"{files}/main.py"},
                },
            },
        },
        {
            "task_key": "load",
            "job_cluster_key": "main",
            "notebook_task": {
                "notebook_path": f"{files}/notebooks/load",
                "base_parameters": {"n": "1"},
            },
            "libraries": [{"whl": "dist/*.whl"}],
        },
    ]


def clusters(tag: str) -> list[dict[str, Any]]:
    cluster = {"node_type_id": "small", "num_workers": 0, "custom_tags": {"for": tag}}
    return [{"job_cluster_key": "main", "new_cluster": cluster}]


def parameters(schema: str) -> list[dict[str, str]]:
    return [
        {"name": "inbox", "default": f"/Volumes/main/{schema}/inbox"},
        {"name": "schema", "default": "${resources.schemas.sales.name}"},
        {"name": "empty", "default": ""},
    ]


def volume(schema: str) -> dict[str, str]:
    return {
        "catalog_name": "main",
        "schema_name": "${resources.schemas.sales.name}",
        "name": "inbox",
        "volume_type": "MANAGED",
        "volume_path": f"/Volumes/main/{schema}/inbox",
    }


def test_without_a_mode(write: Write, client: WorkspaceClient) -> None:
    resolved = resolve(write(SHOP), None, {}, client)
    user = resolved["workspace"].pop("current_user")
    assert (user["userName"], user["short_name"]) == ("local@localhost", "local")
    assert resolved["workspace"] == {
        "root_path": f"{HOME}/plain",
        "file_path": f"{HOME}/plain/files",
        "resource_path": f"{HOME}/plain/resources",
        "artifact_path": f"{HOME}/plain/artifacts",
        "state_path": f"{HOME}/plain/state",
    }
    assert resolved["bundle"] == {
        "name": "shop",
        "target": "plain",
        "environment": "plain",
        "git": {"bundle_root_path": "."},
    }
    assert resolved["sync"] == {"paths": ["."]}
    assert resolved["include"] == ["jobs/orders.yml"]
    assert resolved["variables"]["runs"] == {"default": 3, "value": 3}
    assert resolved["variables"]["warehouse"]["value"]
    assert resolved["resources"] == {
        "jobs": {
            "orders": {
                "name": "orders_1.5",
                "max_concurrent_runs": 3,
                "queue": {"enabled": True},
                "schedule": {
                    "quartz_cron_expression": "0 0 * * * ?",
                    "timezone_id": "UTC",
                    "pause_status": "UNPAUSED",
                },
                "parameters": parameters("sales"),
                "job_clusters": clusters("plain-3"),
                "tasks": tasks(f"{HOME}/plain/files"),
                **deployment("plain"),
            }
        },
        "schemas": {"sales": {"catalog_name": "main", "name": "sales"}},
        "volumes": {"inbox": volume("sales")},
    }


def test_development_mode(write: Write, client: WorkspaceClient) -> None:
    resolved = resolve(write(SHOP), "dev", {}, client)
    assert resolved["bundle"]["mode"] == "development"
    assert resolved["bundle"]["deployment"] == {"lock": {"enabled": False}}
    assert resolved["presets"] == {
        "name_prefix": "[dev local] ",
        "tags": {"dev": "local"},
        "jobs_max_concurrent_runs": 4,
        "trigger_pause_status": "PAUSED",
        "pipelines_development": True,
    }
    assert resolved["resources"]["schemas"]["sales"]["name"] == "dev_local_sales"
    assert resolved["resources"]["volumes"]["inbox"] == volume("dev_local_sales")
    job = resolved["resources"]["jobs"]["orders"]
    assert job == {
        "name": "[dev local] orders_1.5",
        "max_concurrent_runs": 5,
        "queue": {"enabled": True},
        "tags": {"dev": "local"},
        "schedule": {
            "quartz_cron_expression": "0 0 * * * ?",
            "timezone_id": "UTC",
            "pause_status": "PAUSED",
        },
        "parameters": parameters("dev_local_sales"),
        "job_clusters": clusters("dev-5"),
        "tasks": tasks(f"{HOME}/dev/files"),
        **deployment("dev"),
    }


def test_production_mode_with_permissions_and_overrides(
    write: Write, client: WorkspaceClient
) -> None:
    resolved = resolve(write(SHOP), "prod", {"runs": "7"}, client)
    root = "/Workspace/Shared/shop"
    assert resolved["workspace"]["root_path"] == root
    job = resolved["resources"]["jobs"]["orders"]
    each, load = tasks(f"{root}/files")
    audit = {
        "task_key": "audit",
        "sql_task": {
            "warehouse_id": resolved["variables"]["warehouse"]["value"],
            "file": {"path": f"{root}/files/sql/audit.sql"},
        },
    }
    assert job["tasks"] == [audit, each, {**load, "max_retries": 2}]
    assert job["max_concurrent_runs"] == 7
    assert job["job_clusters"] == clusters("prod-7")
    assert job["permissions"] == [
        {"level": "CAN_MANAGE_RUN", "group_name": "analysts"},
        {"level": "IS_OWNER", "user_name": "local@localhost"},
    ]


def test_variables_come_from_the_environment_and_a_file(
    write: Write, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ".databricks/bundle/plain/variable-overrides.json"
    root = write({**SHOP, overrides: '{"runs": 8, "cluster": {"node_type_id": "big"}}'})
    values = resolve(root, "plain", {}, client)["variables"]
    assert (values["runs"]["value"], values["cluster"]["value"]) == (8, {"node_type_id": "big"})
    monkeypatch.setenv("BUNDLE_VAR_runs", "9")
    assert resolve(root, "plain", {}, client)["variables"]["runs"]["value"] == "9"
    assert resolve(root, "plain", {"runs": "10"}, client)["variables"]["runs"]["value"] == "10"


def test_dependencies_of_environments(write: Write, client: WorkspaceClient) -> None:
    root = write(
        {
            "databricks.yml": "bundle: {name: shop}\ninclude: [jobs/x.yml]",
            "jobs/x.yml": """
                resources:
                  jobs:
                    x:
                      environments:
                        - environment_key: e
                          spec:
                            environment_version: 2
                            dependencies:
                              - requests
                              - pandas>=2,<3
                              - ../dist/*.whl
                              - ./lib.whl[extra]
                              - -r ../requirements.txt
                              - x @ https://host/x.whl
            """,
            "requirements.txt": "",
        }
    )
    resolved = resolve(root, None, {}, client)
    assert resolved["resources"]["jobs"]["x"]["environments"][0]["spec"] == {
        "environment_version": "2",
        "dependencies": [
            "requests",
            "pandas>=2,<3",
            "./dist/*.whl",
            "./jobs/lib.whl[extra]",
            f"-r {HOME}/default/files/requirements.txt",
            "x @ https://host/x.whl",
        ],
    }


def job(task: str, more: str = "") -> dict[str, str]:
    return {
        "databricks.yml": "bundle: {name: shop}\ninclude: [jobs/x.yml]",
        "jobs/x.yml": f"resources:\n  jobs:\n    x:\n      tasks:\n        - {{task_key: t, {task}}}\n{more}",
    }


@pytest.mark.parametrize(
    ("files", "target", "error", "message"),
    [
        (SHOP, "qa", UnknownTarget, "The bundle has no target 'qa'; it has plain, dev, prod."),
        (
            {"databricks.yml": "bundle: {name: b}\ntargets: {a: , b: }"},
            None,
            UnknownTarget,
            "Name a target (a, b); marked as default: none.",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\ntargets: {a: {variables: {x: 1}}}"},
            None,
            UnknownVariable,
            "targets.a.variables.x sets a variable that the bundle does not define; "
            "define it under `variables`.",
        ),
        ({"databricks.yml": "bundle: {}"}, None, InvalidSetting, "The bundle has no name"),
        (
            {"databricks.yml": "bundle: {name: b}\nvariables: {x: {description: d}}"},
            None,
            InvalidVariable,
            "The variable x has no value; give it a default, set BUNDLE_VAR_x, or pass it.",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\nvariables: {x: {default: [1]}}"},
            None,
            InvalidVariable,
            "The variable x holds a mapping or a list; declare it with `type: complex`.",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\nvariables: {x: {lookup: {warehouse: W}}}"},
            None,
            InvalidVariable,
            "The variable x looks up the warehouse 'W', of which the workspace has 0.",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\nvariables: {x: {lookup: {pipeline: P}}}"},
            None,
            UnsupportedSetting,
            "The variable x looks up a pipeline; the local deployer looks up warehouse, cluster, job.",
        ),
        (
            {
                "databricks.yml": "bundle: {name: b}\ntargets: {p: {mode: production}}"
                "\nresources: {jobs: {j: {name: x}}}"
            },
            "p",
            InvalidTarget,
            "targets.p: set workspace.root_path; in production mode it must be explicit",
        ),
        (
            {
                "databricks.yml": "bundle: {name: b}\ntargets: {d: {mode: development, "
                "workspace: {root_path: /Shared/x}}}"
            },
            "d",
            InvalidTarget,
            "targets.d: workspace.root_path is /Workspace/Shared/x; in development mode",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\ntargets: {d: {mode: quick}}"},
            "d",
            InvalidTarget,
            "mode is 'quick'; it must be development or production.",
        ),
        (
            {
                "databricks.yml": "bundle: {name: b}\npermissions: [{level: IS_OWNER, group_name: g}]"
            },
            None,
            InvalidSetting,
            "permissions: the level is 'IS_OWNER'; it must be one of CAN_MANAGE, CAN_VIEW, CAN_RUN.",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\nresources: {jobs: {j: }}"},
            None,
            InvalidSetting,
            "resources.jobs.j is empty; give it its settings or remove it.",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\nresources: {volumes: {v: {name: x}}}"},
            None,
            InvalidSetting,
            "resources.volumes.v lacks catalog_name, schema_name.",
        ),
        (
            job("notebook_task: {notebook_path: ../n.py}"),
            None,
            MissingFile,
            "jobs/x.yml:5: resources.jobs.x.t.notebook_task.notebook_path names the notebook ../n.py, "
            "which does not exist.",
        ),
        (
            {**job("notebook_task: {notebook_path: ../n}"), "n.py": NOTEBOOK},
            None,
            MissingFile,
            "names the notebook ../n, which does not exist; did you mean n.py.",
        ),
        (
            {**job("notebook_task: {notebook_path: ../n.py}"), "n.py": "x = 1\n"},
            None,
            MissingFile,
            "names ../n.py, which is a file and not a notebook",
        ),
        (
            {
                **job("existing_cluster_id: c, spark_python_task: {python_file: ../n.py}"),
                "n.py": NOTEBOOK,
            },
            None,
            MissingFile,
            "names ../n.py, which is a notebook and not a file.",
        ),
        (
            job("existing_cluster_id: c, spark_python_task: {python_file: ../../n.py}"),
            None,
            MissingFile,
            "names ../../n.py, which is outside of the bundle's folder and is not deployed.",
        ),
        (
            job("python_wheel_task: {package_name: p, entry_point: e}"),
            None,
            InvalidSetting,
            "resources.jobs.x: the task t is a python_wheel_task and needs one of job_cluster_key,",
        ),
        (
            job("description: '${var.nope}'"),
            None,
            UnknownVariable,
            "jobs/x.yml:5: ${var.nope} does not exist",
        ),
        (
            {"databricks.yml": "bundle: {name: b}\nartifacts: {a: {type: jar, build: make}}"},
            None,
            UnsupportedSetting,
            "artifacts.a.type is 'jar'; the local deployer builds wheels (whl) only.",
        ),
    ],
)
def test_mistakes_are_named(
    write: Write,
    client: WorkspaceClient,
    files: dict[str, str],
    target: str | None,
    error: type[BundleError],
    message: str,
) -> None:
    with pytest.raises(error) as refusal:
        resolve(write(files), target, {}, client)
    assert message in str(refusal.value)


def test_an_unknown_variable_may_not_be_passed(write: Write, client: WorkspaceClient) -> None:
    with pytest.raises(UnknownVariable, match="has no variable 'run'; it has cluster, ratio, runs"):
        resolve(write(SHOP), None, {"run": "1"}, client)
    with pytest.raises(InvalidVariable, match="The variable cluster is complex"):
        resolve(write(SHOP), None, {"cluster": "1"}, client)
