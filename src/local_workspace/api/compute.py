"""Clusters: accepted, shown, never started. https://docs.databricks.com/api/workspace/clusters"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_workspace.api.endpoint import Params, endpoint

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace


def spark_versions(_: Workspace, __: Params) -> dict[str, Any]:
    """Airflow's connection test calls this."""
    return {"versions": [{"key": "17.3.x-scala2.13", "name": "17.3 LTS (local: Spark Connect)"}]}


def list_clusters(_: Workspace, __: Params) -> dict[str, Any]:
    return {}


routes = [
    endpoint("GET", f"/api/{version}/clusters/{name}", handler)
    for version in ("2.0", "2.1")
    for name, handler in (("spark-versions", spark_versions), ("list", list_clusters))
]
