"""The parameters of a wheel task, which Databricks passes as `--name=value`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from renewables.errors import MissingParameter


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MissingParameter(f"{message}; set it in named_parameters or as a job parameter.")


def parameters(*names: str, **defaults: str) -> dict[str, str]:
    """The task's parameters of these names and of those with a default; others are ignored.

    Job parameters are pushed down to every wheel task with named parameters, wanted or not:
    https://docs.databricks.com/jobs/job-parameters. Raises MissingParameter.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", default=default)
    known, _ = parser.parse_known_args()
    return vars(known)
