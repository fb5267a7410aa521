"""Runs the DAGs of a test by `dag.test()`: Airflow's task runner, execution API and database, and triggers inline."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions import dag as dag_module
from airflow.utils.db import initdb

WITHOUT_MODES = pytest.mark.parametrize("airflow", [False], indirect=True, ids=["worker"])
"""For a test of what has nothing to wait for."""
_numbers = count(1)


@cache
def migrate() -> None:
    """Make Airflow's database, of which there is one in AIRFLOW_HOME."""
    initdb()
    DagBundlesManager().sync_bundles_to_db()


@dataclass
class Result:
    """What became of a DAG run."""

    run: DagRun
    errors: dict[str, str]
    """Of the failed tasks."""
    triggers: list[Any]
    """Those that tasks were deferred to, in order."""

    @property
    def states(self) -> dict[str, str]:
        return {ti.task_id: str(ti.state) for ti in self.run.get_task_instances()}

    def xcom(self, key: str, task_id: str = "task") -> Any:
        ti = self.run.get_task_instance(task_id)
        assert ti is not None
        return ti.xcom_pull(task_ids=task_id, key=key)

    def link(self, operator_link: type, task_id: str = "task") -> str:
        """Where a link of a task leads, as the UI shows it."""
        return str(self.xcom(f"_link_{operator_link.__name__}", task_id))


@dataclass
class DagRunner:
    """Runs operators deferrable or not; their work may wait for `gate`, which opens when they have deferred."""

    is_deferrable: bool
    gate_file: Path
    on_deferred: list[Callable[[Any], None]] = field(default_factory=list)
    """Called with the trigger, before it runs."""

    @property
    def gate(self) -> str:
        """What work has to wait for: nothing, where the operator does not defer."""
        return str(self.gate_file) if self.is_deferrable else ""

    @property
    def arguments(self) -> dict[str, Any]:
        """Of each operator."""
        return {"deferrable": self.is_deferrable, "polling_period_seconds": 0.05}

    def run_task(self, operator: type[BaseOperator], **arguments: Any) -> Result:
        """A new DAG of one task, `task`, which may be deferred."""
        with self.new_dag() as dag:
            operator(task_id="task", **self.arguments, **arguments)
        return self.run(dag)

    @staticmethod
    def new_dag() -> DAG:
        return DAG(dag_id=f"dag_{next(_numbers)}")

    def run(self, dag: DAG) -> Result:
        """To its end."""
        result = Result(DagRun(), {}, [])
        run_inline = dag_module._run_inline_trigger

        def run_trigger(trigger: Any, ti: Any) -> Any:
            result.triggers.append(trigger)
            self.gate_file.touch()
            for action in self.on_deferred:
                action(trigger)
            return run_inline(trigger, ti)

        def note_error(context: Any) -> None:
            result.errors[context["ti"].task_id] = str(context["exception"])

        for task in dag.tasks:
            task.on_failure_callback = [note_error]
        _register(dag)
        with patch.object(dag_module, "_run_inline_trigger", run_trigger):
            result.run = dag.test()
        return result


def _register(dag: DAG) -> None:
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
