"""`dbutils.widgets`: a notebook's parameters. https://docs.databricks.com/dev-tools/databricks-utils#widgets-utility"""
# ruff: noqa: N802, N803, ARG002 - the names are Databricks'; a label is only for their page.

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local_workspace.runtime.utility import Utility


class InputWidgetNotDefined(Exception):
    """A widget that neither the notebook nor the run's parameters define."""


class Widgets(Utility):
    """Utilities for a notebook's parameters: the run's value wins over a widget's default."""

    _name = "dbutils.widgets"

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = dict(parameters)
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:
        """Define a widget of any text."""
        self._defaults[name] = str(defaultValue)

    def dropdown(
        self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None
    ) -> None:
        """Define a widget of some choices; ValueError unless the default is one of them."""
        _require_choice(name, [defaultValue], choices)
        self.text(name, defaultValue)

    def combobox(
        self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None
    ) -> None:
        """Define a widget of any text, with choices to pick from."""
        self.text(name, defaultValue)

    def multiselect(
        self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None
    ) -> None:
        """Define a widget of several choices, joined by commas; ValueError for a default that is none."""
        _require_choice(name, defaultValue.split(","), choices)
        self.text(name, defaultValue)

    def get(self, name: str) -> str:
        """The widget's value; InputWidgetNotDefined where there is none."""
        values = self.getAll()
        if name not in values:
            message = f"No input widget named {name} is defined"
            raise InputWidgetNotDefined(
                f"{message}: define it in the notebook or give the run a parameter of that name."
            )
        return values[name]

    def getArgument(self, name: str, defaultValue: str | None = None) -> str:
        """The widget's value, else the default."""
        if defaultValue is not None:
            return self.getAll().get(name, defaultValue)
        return self.get(name)

    def getAll(self) -> dict[str, str]:
        """The values of all widgets."""
        return self._defaults | self._parameters

    def remove(self, name: str) -> None:
        """Forget a widget; a value that the run has for it stays."""
        self._defaults.pop(name, None)

    def removeAll(self) -> None:
        """Forget all widgets."""
        self._defaults.clear()

    def assume(self, arguments: Mapping[str, str]) -> None:
        """Values that `%run` gives the widgets; they win over the run's."""
        self._parameters |= arguments


def _require_choice(name: str, values: Sequence[str], choices: Sequence[str]) -> None:
    for value in values:
        if value not in choices:
            raise ValueError(
                f"The default value {value!r} of the widget {name} is not one of its choices: "
                f"{', '.join(map(repr, choices))}"
            )
