"""Runs an operator as Airflow does: a new process per resumption, the trigger from its serialised form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.module_loading import import_string


def _do_not_wait(moment: datetime) -> None:
    raise AssertionError(f"waits until {moment}")


@dataclass
class TaskInstance:
    """What Airflow keeps of a task over its tries."""

    max_tries: int = 3
    start_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    xcoms: dict[str, Any] = field(default_factory=dict)
    task_state_store: dict[str, Any] = field(default_factory=dict)
    on_wait: Callable[[datetime], None] = _do_not_wait

    @property
    def context(self) -> dict[str, Any]:
        store = SimpleNamespace(
            get=self.task_state_store.get, set=self.task_state_store.__setitem__
        )
        return {"ti": self, "task_state_store": store}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def run(self, make_operator: Callable[[], BaseOperator]) -> None:
        """Execute to the end; `make_operator` is called once per process."""
        next_method, next_kwargs = "execute", {}
        while True:
            operator = make_operator()
            try:
                if next_method == "execute":
                    operator.execute(self.context)
                else:
                    operator.resume_execution(next_method, next_kwargs, self.context)
                return
            except TaskDeferred as deferred:
                next_method = deferred.method_name
                next_kwargs = {**(deferred.kwargs or {}), "event": self._event(deferred)}

    def _event(self, deferred: TaskDeferred) -> Any:
        path, arguments = deferred.trigger.serialize()
        if isinstance(deferred.trigger, DateTimeTrigger):
            self.on_wait(arguments["moment"])
            return None
        return asyncio.run(_first_event(import_string(path)(**arguments)))


async def _first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError(f"{trigger} ended without an event")
