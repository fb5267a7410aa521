"""What all parts of `dbutils` have: help, and a reason for what the local workspace has not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import NoReturn


class Utility:
    """`_name` is the utility's name in user code, for example `dbutils.fs`."""

    _name: str

    def help(self, method: str = "") -> None:
        """Print what the utility has, or what one of its methods does."""
        if method:
            print(
                f"{_signature(method, getattr(self, method))}\n\n{inspect.getdoc(getattr(self, method))}"
            )
            return
        print(inspect.getdoc(self))
        for name, member in self._methods():
            first_line = (inspect.getdoc(member) or "").partition("\n")[0]
            print(f"  {_signature(name, member)}" + (f" -> {first_line}" if first_line else ""))

    def _methods(self) -> Iterator[tuple[str, object]]:
        for name, member in inspect.getmembers(self, inspect.ismethod):
            if not name.startswith("_") and name != "help":
                yield name, member

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self._name}.{name} is not available in the local workspace.")


def _signature(name: str, method: object) -> str:
    parameters = inspect.signature(method).parameters.values()  # type: ignore[arg-type]
    return f"{name}({', '.join(str(p.replace(annotation=p.empty)) for p in parameters)})"
