"""A bundle's schemas and volumes."""

from __future__ import annotations

from typing import Any

from local_workspace.bundle import interpolate


def with_schema_reference(volume: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A volume that names a schema of the bundle by its name refers to it, so that the schema is made first."""
    for key, schema in schemas.items():
        if (
            volume.get("catalog_name") == schema.get("catalog_name")
            and volume.get("schema_name") == schema.get("name")
            and schema.get("name")
        ):
            return {**volume, "schema_name": f"${{resources.schemas.{key}.name}}"}
    return volume


def with_volume_path(volume: dict[str, Any], resources: dict[str, Any]) -> dict[str, Any]:
    """A volume with its path below `/Volumes`, as far as it is known before the deployment."""

    def name(field: str) -> str:
        value = volume.get(field, "")
        if not interpolate.is_reference(value):
            return str(value)
        path = interpolate.parse_path(value[2:-1])
        try:
            return str(interpolate.pick({"resources": resources}, path))
        except interpolate.NotFound:
            return str(value)

    path = "/".join(name(field) for field in ("catalog_name", "schema_name", "name"))
    return {**volume, "volume_path": f"/Volumes/{path}"}
