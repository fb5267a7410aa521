"""What a bundle file may hold, as types. Jobs are the SDK's own `JobSettings`.

https://docs.databricks.com/en/dev-tools/bundles/settings.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from databricks.sdk.service import jobs


class Unsupported:
    """The type of settings that Databricks has and this deployer refuses."""


@dataclass
class Git:
    branch: str | None = None
    origin_url: str | None = None
    commit: str | None = None
    bundle_root_path: str | None = None
    actual_branch: str | None = None


@dataclass
class Lock:
    enabled: bool | None = None
    force: bool | None = None


@dataclass
class DeploymentSettings:
    fail_on_active_runs: Unsupported | None = None
    lock: Lock | None = None


@dataclass
class BundleSettings:
    name: str | None = None
    target: str | None = None
    environment: str | None = None
    mode: str | None = None
    git: Git | None = None
    deployment: DeploymentSettings | None = None
    databricks_cli_version: str | None = None
    uuid: str | None = None
    engine: str | None = None
    cluster_id: Unsupported | None = None
    compute_id: Unsupported | None = None


@dataclass
class WorkspaceSettings:
    host: str | None = None
    profile: str | None = None
    auth_type: str | None = None
    client_id: str | None = None
    account_id: str | None = None
    workspace_id: str | None = None
    azure_tenant_id: str | None = None
    azure_client_id: str | None = None
    azure_environment: str | None = None
    azure_workspace_resource_id: str | None = None
    google_service_account: str | None = None
    root_path: str | None = None
    file_path: str | None = None
    resource_path: str | None = None
    artifact_path: str | None = None
    state_path: str | None = None
    current_user: dict[str, Any] | None = None


@dataclass
class ArtifactFile:
    source: str


@dataclass
class Artifact:
    type: str | None = None
    path: str | None = None
    files: list[ArtifactFile] | None = None
    build: str | None = None
    executable: str | None = None
    dynamic_version: Unsupported | None = None


@dataclass
class Permission:
    level: str | None = None
    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None


@dataclass
class Job(jobs.JobSettings):
    permissions: Optional[list[Permission]] = None  # noqa: UP045 - beside the SDK's annotations
    lifecycle: Optional[Unsupported] = None  # noqa: UP045


@dataclass
class Schema:
    catalog_name: str
    name: str
    comment: str | None = None
    properties: dict[str, str] | None = None
    storage_root: str | None = None
    grants: Unsupported | None = None
    lifecycle: Unsupported | None = None


@dataclass
class Volume:
    catalog_name: str
    schema_name: str
    name: str
    comment: str | None = None
    volume_type: str | None = None
    storage_location: str | None = None
    grants: Unsupported | None = None
    lifecycle: Unsupported | None = None


@dataclass
class Resources:
    refuses_unknown: ClassVar[bool] = True

    jobs: dict[str, Job] | None = None
    schemas: dict[str, Schema] | None = None
    volumes: dict[str, Volume] | None = None


@dataclass
class Sync:
    include: list[str] | None = None
    exclude: list[str] | None = None
    paths: Unsupported | None = None


@dataclass
class Presets:
    name_prefix: str | None = None
    trigger_pause_status: str | None = None
    jobs_max_concurrent_runs: int | None = None
    tags: dict[str, str] | None = None
    pipelines_development: bool | None = None
    source_linked_deployment: Unsupported | None = None
    artifacts_dynamic_version: Unsupported | None = None


@dataclass
class Variable:
    description: str | None = None
    type: str | None = None
    default: Any = None
    lookup: dict[str, str] | None = None


@dataclass
class Target:
    default: bool | None = None
    mode: str | None = None
    git: Git | None = None
    bundle: BundleSettings | None = None
    workspace: WorkspaceSettings | None = None
    variables: dict[str, Any] | None = None
    artifacts: dict[str, Artifact] | None = None
    resources: Resources | None = None
    sync: Sync | None = None
    presets: Presets | None = None
    permissions: list[Permission] | None = None
    run_as: jobs.JobRunAs | None = None
    cluster_id: Unsupported | None = None
    compute_id: Unsupported | None = None


@dataclass
class File:
    """One bundle file, and the configuration that several become."""

    bundle: BundleSettings | None = None
    include: list[str] | None = None
    workspace: WorkspaceSettings | None = None
    variables: dict[str, Variable] | None = None
    artifacts: dict[str, Artifact] | None = None
    resources: Resources | None = None
    targets: dict[str, Target] | None = None
    sync: Sync | None = None
    presets: Presets | None = None
    permissions: list[Permission] | None = None
    run_as: jobs.JobRunAs | None = None
    environments: Unsupported | None = None
    experimental: Unsupported | None = None
    python: Unsupported | None = None
    scripts: Unsupported | None = None
