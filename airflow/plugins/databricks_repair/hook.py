"""The calls of the Jobs API that a repair needs and the provider's hook does not have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from airflow.providers.databricks.hooks.databricks import GET_RUN_ENDPOINT, DatabricksHook

from databricks_repair.run import JobRun, latest_attempts, parameter_values

LIST_RUNS_ENDPOINT = ("GET", "2.2/jobs/runs/list")
_RUNS_PER_PAGE = 24


class RepairHook(DatabricksHook):
    """A `DatabricksHook` that reads a run with its repairs and finds runs by their parameters."""

    def get_job_run(self, run_id: int) -> JobRun:
        """Read a run, all its tasks and its repair history.

        https://docs.databricks.com/api/workspace/jobs/getrun
        """
        run = self.get_run(run_id)
        history = self._do_api_call(GET_RUN_ENDPOINT, {"run_id": run_id, "include_history": "true"})
        # The history is the newer answer: a repair that began in between shows as active.
        return JobRun.from_response({**run, "repair_history": history.get("repair_history", [])})

    def get_task_output(self, run_id: int, task_key: str) -> dict[str, Any]:
        """Read the output of a task's latest attempt; empty if the run has no such task.

        https://docs.databricks.com/api/workspace/jobs/getrunoutput
        """
        attempt = latest_attempts(self.get_run(run_id).get("tasks", [])).get(task_key)
        return self.get_run_output(attempt["run_id"]) if attempt else {}

    def find_run_id(self, job_id: int | str, parameters: dict[str, str], among: int) -> int | None:
        """Return the newest of a job's last `among` runs that was started with `parameters`.

        https://docs.databricks.com/api/workspace/jobs/listruns
        """
        for run in islice(self._list_runs(job_id), among):
            if parameters.items() <= parameter_values(run).items():
                return int(run["run_id"])
        return None

    def _list_runs(self, job_id: int | str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"job_id": job_id, "limit": _RUNS_PER_PAGE}
        while True:
            page = self._do_api_call(LIST_RUNS_ENDPOINT, query)
            yield from page.get("runs", [])
            if not page.get("next_page_token"):
                return
            query["page_token"] = page["next_page_token"]
