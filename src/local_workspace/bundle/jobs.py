"""A bundle's jobs as the Jobs API gets them, but for paths and references to other resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_workspace.bundle.errors import InvalidSetting
from local_workspace.bundle.merge import merge_by_key

_NEED_COMPUTE = (
    "python_wheel_task",
    "spark_python_task",
    "spark_jar_task",
    "spark_submit_task",
    "dbt_task",
)
_COMPUTE = ("job_cluster_key", "environment_key", "existing_cluster_id", "new_cluster")
_CLIENTS = {"notebooks": True, "jobs": True}


def tasks_of(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All tasks of a job, those inside for-each tasks too."""
    for task in job.get("tasks", []):
        yield task
        nested = task.get("for_each_task", {}).get("task")
        if nested is not None:
            yield nested


def check_compute(job: dict[str, Any], key: str) -> None:
    """Raises InvalidSetting for a task that needs a cluster or an environment and has none."""
    for task in tasks_of(job):
        kind = next((kind for kind in _NEED_COMPUTE if kind in task), None)
        if kind is not None and not any(field in task for field in _COMPUTE):
            raise InvalidSetting(
                f"{key}: the task {task.get('task_key')} is a {kind} and needs one of {', '.join(_COMPUTE)}."
            )


def with_merged_lists(job: dict[str, Any], key: str) -> dict[str, Any]:
    """Tasks (sorted), clusters and parameters of one key as one: files and targets may each add a part."""
    merged = dict(job)
    for field, name in (
        ("job_clusters", "job_cluster_key"),
        ("parameters", "name"),
        ("tasks", "task_key"),
    ):
        if field in job:
            merged[field] = merge_by_key(job[field], name, f"resources.jobs.{key}.{field}")
    if "tasks" in merged:
        merged["tasks"] = sorted(merged["tasks"], key=lambda task: str(task.get("task_key", "")))
    return merged


def with_defaults(job: dict[str, Any]) -> dict[str, Any]:
    """What the Databricks CLI adds to each job of its own accord."""
    completed: dict[str, Any] = {
        "name": "Untitled",
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        **job,
    }
    for trigger in ("schedule", "trigger", "continuous"):
        if trigger in job:
            completed[trigger] = {"pause_status": "UNPAUSED", **job[trigger]}
    if "job_clusters" in job:
        completed["job_clusters"] = [_with_cluster_defaults(item) for item in job["job_clusters"]]
    return completed


def with_deployment(job: dict[str, Any], metadata_file_path: str) -> dict[str, Any]:
    """The marks of a job that a bundle manages: people look at it, the bundle changes it."""
    return {
        **job,
        "deployment": {"kind": "BUNDLE", "metadata_file_path": metadata_file_path},
        "edit_mode": "UI_LOCKED",
        "format": "MULTI_TASK",
    }


def _with_cluster_defaults(item: dict[str, Any]) -> dict[str, Any]:
    cluster = item.get("new_cluster")
    if not isinstance(cluster, dict):
        return item
    cluster = dict(cluster)
    if "autoscale" not in cluster:
        cluster.setdefault("num_workers", 0)
    workload = cluster.get("workload_type")
    if workload and "clients" in workload:
        cluster["workload_type"] = {**workload, "clients": {**_CLIENTS, **workload["clients"]}}
    return {**item, "new_cluster": cluster}
