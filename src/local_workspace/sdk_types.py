"""The Databricks SDK's types without its client.

`import databricks.sdk.service.jobs` runs `databricks/sdk/__init__.py` first, which imports the client and the types of
all services: most of the time that the server takes to start, for what it never uses.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

PACKAGE = "databricks.sdk"


def import_client_on_demand() -> None:
    """From now on `databricks.sdk` is imported without its own names, until somebody asks for one of those."""
    if PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.loader is not None
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def whole(name: str) -> Any:
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, name)

    package.__getattr__ = whole  # type: ignore[method-assign]
    sys.modules[PACKAGE] = package
    vars(sys.modules["databricks"])["sdk"] = package
