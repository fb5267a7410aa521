"""Where databricks-sdk looks for the runtime's names (`databricks/sdk/runtime/__init__.py`)."""

from __future__ import annotations

from typing import Any, ClassVar

from . import databricks_repl_context

__all__ = ["UserNamespaceInitializer", "databricks_repl_context"]


class UserNamespaceInitializer:
    namespace: ClassVar[dict[str, Any]] = {}

    @classmethod
    def getOrCreate(cls) -> UserNamespaceInitializer:  # noqa: N802 - databricks-sdk calls it so
        return cls()

    def get_namespace_globals(self) -> dict[str, Any]:
        return self.namespace
