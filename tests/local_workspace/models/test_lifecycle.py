"""The two transition tables: what every life has in common."""

import pytest

from local_workspace.models.lifecycle import (
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    Phase,
    check_run,
    check_task,
)

Table = dict[Phase, frozenset[Phase]]
TABLES = [
    (RUN_TRANSITIONS, {Phase.QUEUED}),
    (TASK_TRANSITIONS, {Phase.BLOCKED, Phase.WAITING_FOR_RETRY}),
]


def reached(table: Table, start: set[Phase]) -> set[Phase]:
    """Start included."""
    found = set(start)
    while new := {after for phase in found for after in table[phase]} - found:
        found |= new
    return found


@pytest.mark.parametrize(("table", "first"), TABLES)
def test_every_phase_is_reached_and_every_life_can_end(table: Table, first: set[Phase]) -> None:
    assert reached(table, first) == set(table)
    assert all(Phase.TERMINATED in reached(table, {phase}) for phase in table)


@pytest.mark.parametrize(("table", "first"), TABLES)
def test_what_was_told_to_end_can_only_end(table: Table, first: set[Phase]) -> None:
    assert table[Phase.TERMINATING] == {Phase.TERMINATED}
    assert not any(phases & first for phases in table.values())


def test_only_a_run_lives_again() -> None:
    assert RUN_TRANSITIONS[Phase.TERMINATED] == {Phase.PENDING}
    assert TASK_TRANSITIONS[Phase.TERMINATED] == frozenset()


def test_another_change_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="a run cannot go from QUEUED to RUNNING"):
        check_run(Phase.QUEUED, Phase.RUNNING)
    with pytest.raises(AssertionError, match="a task run cannot go from TERMINATED to PENDING"):
        check_task(Phase.TERMINATED, Phase.PENDING)
