"""How many repairs a task has used, over all its tries."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from databricks_repair.run import JobRun


@dataclass(frozen=True)
class RepairAccount:
    """Opened for a run when its repair task first sees it failed, and anew each time a person clears the task.

    Retries and new workers go on with the same account: `max_tries` changes only with a clear.
    """

    max_tries: int
    repairs_before: int
    is_asked_for: bool
    """A person has cleared the task, knowing what became of this run."""

    @classmethod
    def of_run(cls, run: JobRun, store: Any, max_tries: int) -> RepairAccount:
        """Read the account from Airflow's task state store, or open one there."""
        key = f"repairs_of_run_{run.run_id}"
        known = store.get(key)
        if known is not None and known["max_tries"] == max_tries:
            return cls(**known)
        account = cls(max_tries, len(run.repair_ids), is_asked_for=known is not None)
        store.set(key, asdict(account))
        return account

    def repairs_made(self, run: JobRun) -> int:
        """Count this account's repairs, those that somebody else started included."""
        return len(run.repair_ids) - self.repairs_before
