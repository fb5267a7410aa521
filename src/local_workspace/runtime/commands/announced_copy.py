"""One COPY INTO in the workspace's ledger (`store.copies`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from databricks.sdk.errors import NotFound

from local_workspace.runtime.commands.context import Context, VolumePath

COPIES = "/api/local/copies"


class AnnouncedCopy:
    """`files` are those of the given ones that it loads: all where `forced`, else the new ones."""

    def __init__(
        self, context: Context, table_id: str, files: Sequence[VolumePath], *, forced: bool
    ) -> None:
        paths = [file.path for file in files]
        copy = context.call("POST", COPIES, table_id=table_id, paths=paths, forced=forced)
        wanted = set(copy["paths"])
        self.files = [file for file in files if file.path in wanted]
        self.marker: str = copy["marker"]
        self._context = context
        self._route = f"{COPIES}/{copy['copy_id']}"

    def finish(self) -> int:
        """The number of rows that its commit has loaded; without rows there was no commit."""
        return _row_count(self._context.call("POST", f"{self._route}/finish"))

    def withdraw(self) -> int | None:
        """Let it be committed no more; answers with the number of its rows where it has been."""
        self._context.call("DELETE", self._route)
        try:
            return _row_count(self._context.call("GET", self._route))
        except NotFound:
            return None


def _row_count(copy: dict[str, Any]) -> int:
    count: int = copy["row_count"]
    return count
