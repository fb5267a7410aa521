"""A small model of job runs and repairs, written from Databricks' documentation and not from the code.

https://docs.databricks.com/aws/en/jobs/run-if,
https://docs.databricks.com/aws/en/jobs/for-each and
https://docs.databricks.com/aws/en/jobs/repair-job-failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from conducted import Script

from local_workspace.models.repair import RepairRequest
from local_workspace.models.run import Termination

Json = dict[str, Any]

FAILED = {"FAILED", "UPSTREAM_FAILED", "TIMEDOUT", "INTERNAL_ERROR"}
CANCELED = {"CANCELED", "UPSTREAM_CANCELED"}
UNMET = FAILED | CANCELED


class JobModel:
    """How each task ended, and how often each was executed; tasks stand behind those that they depend on."""

    def __init__(self, tasks: list[Json], script: Script) -> None:
        self._tasks, self._script = tasks, script
        self.ends: dict[str, str] = {}
        self.executed: Counter[str] = Counter()
        self.iterations: dict[str, set[int]] = {}
        """Those of each loop that have succeeded, since it last succeeded as a whole."""

    def run(self, keys: Collection[str], stopped: dict[str, str]) -> None:
        """Run these tasks; the first attempt of each in `stopped` ends as that says."""
        for task in self._tasks:
            key = task["task_key"]
            if key in keys:
                self.ends[key] = self._kept_from_running(task) or self._execute(
                    task, stopped.get(key)
                )

    def behind(self, keys: Collection[str]) -> set[str]:
        """The tasks that depend on these, directly or not."""
        found = set(keys)
        for task in self._tasks:
            if any(up["task_key"] in found for up in task["depends_on"]):
                found.add(task["task_key"])
        return found - set(keys)

    def to_rerun(self, repair: RepairRequest) -> set[str]:
        keys = set(repair.rerun_tasks)
        if repair.rerun_all_failed_tasks:
            keys = {key for key, end in self.ends.items() if end in UNMET}
            keys |= {key for key in self.behind(keys) if self.ends[key] == "EXCLUDED"}
        return keys | (self.behind(keys) if repair.rerun_dependent_tasks else set())

    def result(self) -> str:
        inner = {up["task_key"] for task in self._tasks for up in task["depends_on"]}
        leaves = {end for key, end in self.ends.items() if key not in inner}
        if leaves & FAILED:
            return "FAILED"
        if leaves & CANCELED:
            return "CANCELED"
        return "SUCCESS_WITH_FAILURES" if UNMET & set(self.ends.values()) else "SUCCESS"

    def _kept_from_running(self, task: Json) -> str | None:
        ends = [self.ends[up["task_key"]] for up in task["depends_on"]]
        if not ends:
            return None
        if set(ends) == {"EXCLUDED"} or any(map(self._is_other_branch, task["depends_on"])):
            return "EXCLUDED"
        unmet = [end in UNMET for end in ends]
        blocked = "UPSTREAM_CANCELED" if CANCELED & set(ends) else "UPSTREAM_FAILED"
        runs, otherwise = {
            "ALL_SUCCESS": (not any(unmet), blocked),
            "AT_LEAST_ONE_SUCCESS": ("SUCCESS" in ends, blocked),
            "NONE_FAILED": (not any(unmet), blocked),
            "ALL_DONE": (True, ""),
            "AT_LEAST_ONE_FAILED": (any(unmet), "EXCLUDED"),
            "ALL_FAILED": (all(unmet), "EXCLUDED"),
        }[task["run_if"]]
        return None if runs else otherwise

    def _is_other_branch(self, up: Json) -> bool:
        if "outcome" not in up or self.ends[up["task_key"]] != "SUCCESS":
            return False
        condition = next(t for t in self._tasks if t["task_key"] == up["task_key"])
        holds = condition["condition_task"]["left"] == "1"
        return bool(up["outcome"] != str(holds).lower())

    def _execute(self, task: Json, stopped: str | None) -> str:
        if "condition_task" in task:
            return "SUCCESS"
        if "for_each_task" in task:
            return self._loop(task)
        for _ in range(task["max_retries"] + 1):
            end = self._attempt(task["task_key"])
            if stopped is not None:
                return stopped
            if end == "SUCCESS" or (end == "TIMEDOUT" and not task["retry_on_timeout"]):
                break
        return end

    def _attempt(self, key: str) -> str:
        results = self._script.get(key, [True])
        end = results[min(self.executed[key], len(results) - 1)]
        self.executed[key] += 1
        if isinstance(end, Termination):
            return end.outcome.value
        return "SUCCESS" if end else "FAILED"

    def _loop(self, task: Json) -> str:
        """Run the iterations that have not succeeded, one after the other."""
        key, loop = task["task_key"], task["for_each_task"]
        succeeded = self.iterations.get(key, set())
        count = loop["inputs"].count(",") + 1
        again = [index for index in range(count) if index not in succeeded]
        ended = {index for index in again if self._attempt(loop["task"]["task_key"]) == "SUCCESS"}
        is_whole = len(ended) == len(again)
        self.iterations[key] = set() if is_whole else succeeded | ended
        return "SUCCESS" if is_whole else "FAILED"
