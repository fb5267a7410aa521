"""Where databricks-sdk looks for the runtime's names (`databricks/sdk/runtime/__init__.py`)."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from . import databricks_repl_context

__all__ = ["UserNamespaceInitializer", "databricks_repl_context"]


class UserNamespaceInitializer:
    namespace: ClassVar[dict[str, Any]] = {}

    @classmethod
    def getOrCreate(cls) -> UserNamespaceInitializer:  # noqa: N802 - databricks-sdk calls it so
        return cls()

    def get_namespace_globals(self) -> dict[str, Any]:
        runtime = sys.modules.get("databricks.sdk.runtime")
        if runtime is not None:
            # Its __all__: `from databricks.sdk.runtime import *` fails at a name that is not there.
            names: list[str] = runtime.dbruntime_objects
            names[:] = [name for name in names if name in self.namespace or hasattr(runtime, name)]
        return self.namespace
