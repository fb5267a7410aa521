"""docs/airflow-operators.md names every operator of the provider, and every test of them."""

from __future__ import annotations

import ast
import importlib
import re

from airflow.providers.databricks.get_provider_info import get_provider_info
from airflow.sdk import BaseOperator, TaskGroup

from workspace import ROOT

PAGE = (ROOT / "docs" / "airflow-operators.md").read_text()


def test_every_operator_and_sensor_is_listed() -> None:
    info = get_provider_info()
    modules = [
        importlib.import_module(name)
        for part in (*info["operators"], *info["sensors"])
        for name in part["python-modules"]
    ]
    operators = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, BaseOperator | TaskGroup)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }
    assert operators - set(re.findall(r"`(\w+)`", PAGE)) == {"DatabricksTaskBaseOperator"}


def test_every_test_is_named_and_no_other() -> None:
    tests = ROOT / "airflow" / "tests"
    files = [tests / f"test_provider_{part}.py" for part in ("jobs", "sql", "workflow")]
    defined = {
        node.name
        for file in (*files, ROOT / "tests" / "airflow" / "test_operators.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert set(re.findall(r"`(test_\w+)`", PAGE)) == defined
