"""What run-now, a repair and a run_job_task may send along, and what is refused.

Rules: https://docs.databricks.com/api/workspace/jobs/runnow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from databricks.sdk.service.jobs import PipelineParams, QueueSettings

from local_workspace.errors import InvalidParameterValue
from local_workspace.models.job_settings import PARAMETER_NAME
from local_workspace.models.json_types import conform

MAX_LEGACY_BYTES = 10_000
MAX_TOKEN = 64

LEGACY_PARAMETERS: dict[str, Any] = {
    "dbt_commands": list[str],
    "jar_params": list[str],
    "notebook_params": dict[str, str],
    "pipeline_params": PipelineParams,
    "python_named_params": dict[str, str],
    "python_params": list[str],
    "spark_submit_params": list[str],
    "sql_params": dict[str, str],
}
"""The older parameters per kind of task, and their types."""

REPAIR_FIELDS: dict[str, Any] = {"job_parameters": dict[str, str], **LEGACY_PARAMETERS}
RUN_NOW_FIELDS: dict[str, Any] = {**REPAIR_FIELDS, "only": list[str], "queue": QueueSettings}


def checked_request(
    values: Mapping[str, Any], fields: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The non-empty ones of `fields`, as the API has them; `settings` are those of the job.

    Airflow always sends some of them empty, so empty means absent.
    """
    conformed = {
        name: conform(values[name], kind, name)
        for name, kind in fields.items()
        if values.get(name) is not None
    }
    request = {name: value for name, value in conformed.items() if value}
    _check_names(request.get("job_parameters", {}))
    legacy = [name for name in LEGACY_PARAMETERS if name in request]
    for name in legacy:
        _check_size(name, request[name])
    _check_exclusion(request, legacy, settings)
    for name in ("python_params", "spark_submit_params"):
        if not all(item.isascii() for item in request.get(name, ())):
            raise InvalidParameterValue(f"{name} can hold ASCII characters only.")
    return request


def checked_token(token: str | None) -> str | None:
    """An idempotency token; None for an empty one."""
    if token and len(token) > MAX_TOKEN:
        raise InvalidParameterValue(
            f"idempotency_token has {len(token)} characters; at most {MAX_TOKEN} are allowed."
        )
    return token or None


def _check_names(parameters: Mapping[str, str]) -> None:
    for name in parameters:
        if not PARAMETER_NAME.fullmatch(name):
            raise InvalidParameterValue(
                f"The job parameter name {name!r:.100} is invalid: use letters, digits, '_', '-' and '.'."
            )


def _check_size(name: str, value: Any) -> None:
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > MAX_LEGACY_BYTES:
        raise InvalidParameterValue(
            f"{name} has {size} bytes as JSON; at most {MAX_LEGACY_BYTES} are allowed."
        )


def _check_exclusion(
    request: Mapping[str, Any], legacy: list[str], settings: Mapping[str, Any]
) -> None:
    mixed = [name for name in legacy if name != "pipeline_params"]
    if mixed and "job_parameters" in request:
        raise InvalidParameterValue(f"job_parameters cannot be combined with {', '.join(mixed)}.")
    if mixed and settings.get("parameters"):
        raise InvalidParameterValue(
            f"The job has job parameters, so {', '.join(mixed)} cannot be used; send job_parameters."
        )
    if "notebook_params" in request and "jar_params" in request:
        raise InvalidParameterValue("notebook_params cannot be combined with jar_params.")
