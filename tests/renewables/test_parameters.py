from __future__ import annotations

import sys

import pytest

from renewables.errors import MissingParameter
from renewables.parameters import parameters


def test_ignores_job_parameters_that_are_pushed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["renewables", "--landing=/a b/c=d", "--airflow_run_id=", "--land=x"]
    )
    assert parameters("landing") == {"landing": "/a b/c=d"}


def test_names_the_parameter_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["renewables", "--landing=x"])
    with pytest.raises(MissingParameter, match="required: --run_id; set it in named_parameters"):
        parameters("landing", "run_id")
