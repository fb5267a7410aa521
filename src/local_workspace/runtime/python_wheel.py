"""Runs the entry point of an installed wheel.

https://docs.databricks.com/jobs/python-wheel: the entry point is looked up in the package's metadata; where it has
none of that name, the function `<package>.<entry_point>()` is called.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from packaging.utils import canonicalize_name

from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.namespace import make_namespace
from local_workspace.runtime.outputs import print_output


def run(spec: Message, channel: Channel) -> None:
    """Call the entry point with `sys.argv` set; what it returns is ignored, as on Databricks."""
    make_namespace(spec, channel, print_output)
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [spec["package_name"], *spec["argv"]]
    channel.send("started")
    _load(spec["package_name"], spec["entry_point"], spec["sys_path"])()


def _load(package: str, name: str, paths: list[str]) -> Callable[[], Any]:
    """LookupError where the package has neither such an entry point nor such a function."""
    for distribution in _distributions(package, paths):
        for entry_point in distribution.entry_points:
            if entry_point.name == name:
                loaded: Callable[[], Any] = entry_point.load()
                return loaded
    module = importlib.import_module(package.replace("-", "_"))
    function = getattr(module, name, None)
    if not callable(function):
        raise LookupError(
            f"The package {package!r} has no entry point and no function named {name!r}; "
            "check python_wheel_task.entry_point."
        )
    return function  # type: ignore[no-any-return]


def _distributions(package: str, paths: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """The task's own libraries first, then those of the runtime."""
    for path in (paths, sys.path):
        for distribution in importlib.metadata.distributions(path=path):
            if canonicalize_name(distribution.name) == canonicalize_name(package):
                yield distribution
