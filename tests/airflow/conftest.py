"""One Airflow and one workspace for all scenarios."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.airflow_bench import Bench
from support.launcher import processes_of


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    state = tmp_path_factory.mktemp("airflow")
    bench = Bench(state)
    try:
        bench.start()
        yield bench
    finally:
        bench.stop()
    assert processes_of(state / "workspace") == []


@pytest.fixture
def bench(servers: Bench) -> Iterator[Bench]:
    """The servers without faults, and without a DAG run that a failed test has left behind."""
    yield servers
    servers.clear_faults()
    servers.revive()
    servers.end_dag_runs()
