from __future__ import annotations

import pytest

from renewables.retries import ATTEMPTS, FIRST_WAIT_SECONDS, retried


def test_waits_longer_each_time() -> None:
    waits: list[float] = []

    def fail() -> None:
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        retried(fail, waits.append)
    assert len(waits) == ATTEMPTS - 1
    for number, wait in enumerate(waits):
        assert 0.5 <= wait / (FIRST_WAIT_SECONDS * 2**number) <= 1.5


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, ValueError, ImportError])
def test_does_not_repeat_what_stays_so(error: type[Exception]) -> None:
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise error("no")

    with pytest.raises(error):
        retried(fail)
    assert attempts == [1]
