"""How deep Run Job tasks may nest: https://docs.databricks.com/aws/en/jobs/run-job."""

from __future__ import annotations

from collections.abc import Sequence

from local_workspace.errors import InvalidParameterValue

MAX_NESTING = 3


def check_nesting(job_id: int, callers: Sequence[int]) -> None:
    """Refuses a Run Job task that starts `job_id`; `callers` are the jobs above it, the nearest first."""
    if job_id in callers:
        chain = " -> ".join(str(caller) for caller in (*reversed(callers), job_id))
        raise InvalidParameterValue(f"Run Job tasks cannot form a cycle of jobs: {chain}.")
    if len(callers) > MAX_NESTING:
        raise InvalidParameterValue(
            f"Run Job tasks can be nested {MAX_NESTING} deep; job {job_id} would be level {len(callers)}."
        )
