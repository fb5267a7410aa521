"""Rows of runs, executions and task runs as values, and values as rows."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from typing import Any

from local_workspace.models.lifecycle import Outcome, Phase
from local_workspace.models.run import Termination

_JSON_COLUMNS: Collection[str] = ("settings", "request", "resolved", "output", "input")


def encoded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(v) if name in _JSON_COLUMNS else v for name, v in values.items()}


def ending(end: Termination) -> dict[str, Any]:
    return {"outcome": end.outcome, "code": end.code, "message": end.message}


def decoded(row: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(row)
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = _parse(name, values[name])
    if "phase" in values:
        values["phase"] = Phase(values["phase"])
    values["outcome"] = Outcome(values["outcome"]) if values["outcome"] else None
    return values


def _parse(column: str, text: str) -> Any:
    if text == "null":
        return None
    if text == "{}":
        return {}
    return _settings(text) if column == "settings" else json.loads(text)


@functools.lru_cache(maxsize=4096)
def _settings(text: str) -> Any:
    """Settings never change once they are stored, and each step of a run reads those of all its tasks."""
    return json.loads(text)
