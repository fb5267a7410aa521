"""The life of a run and of a task run: phases, outcomes and which change may follow which.

Semantics: https://docs.databricks.com/api/workspace/jobs/getrun (`state`, `status`).
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a run or a task run is in its life; only TERMINATED has an outcome."""

    QUEUED = "QUEUED"
    BLOCKED = "BLOCKED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING_FOR_RETRY = "WAITING_FOR_RETRY"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"


class Outcome(StrEnum):
    """How a run or a task run ended. INTERNAL_ERROR is the platform's failure, FAILED the workload's."""

    SUCCESS = "SUCCESS"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    FAILED = "FAILED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    EXCLUDED = "EXCLUDED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    DISABLED = "DISABLED"
    MAXIMUM_CONCURRENT_RUNS_REACHED = "MAXIMUM_CONCURRENT_RUNS_REACHED"


FAILURES = frozenset({Outcome.FAILED, Outcome.INTERNAL_ERROR, Outcome.TIMEDOUT})
NEVER_RAN = frozenset(
    {Outcome.EXCLUDED, Outcome.UPSTREAM_FAILED, Outcome.UPSTREAM_CANCELED, Outcome.DISABLED}
)

_P = Phase

RUN_TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    _P.QUEUED: frozenset({_P.PENDING, _P.TERMINATED}),
    _P.PENDING: frozenset({_P.RUNNING, _P.TERMINATING, _P.TERMINATED}),
    _P.RUNNING: frozenset({_P.TERMINATING, _P.TERMINATED}),
    _P.TERMINATING: frozenset({_P.TERMINATED}),
    # A repair brings the same run back to life.
    _P.TERMINATED: frozenset({_P.PENDING}),
}

TASK_TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    _P.BLOCKED: frozenset({_P.PENDING, _P.TERMINATED}),
    _P.WAITING_FOR_RETRY: frozenset({_P.PENDING, _P.TERMINATED}),
    _P.PENDING: frozenset({_P.RUNNING, _P.TERMINATING, _P.TERMINATED}),
    _P.RUNNING: frozenset({_P.TERMINATING, _P.TERMINATED}),
    _P.TERMINATING: frozenset({_P.TERMINATED}),
    # An attempt never lives twice: a retry or a repair is a new task run.
    _P.TERMINATED: frozenset(),
}


def check_run(before: Phase, after: Phase) -> None:
    assert after in RUN_TRANSITIONS[before], f"a run cannot go from {before} to {after}"


def check_task(before: Phase, after: Phase) -> None:
    assert after in TASK_TRANSITIONS[before], f"a task run cannot go from {before} to {after}"
