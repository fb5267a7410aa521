"""load and silver in processes that are killed, SIGKILL, while the engine commits what they write.

When a commit arrives at the catalog, the process whose work it is dies, and the commit is then either
lost or made all the same. To find nothing left to write makes no commit; so a run that is repeated
comes to the commit after it, until there is none.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from queue import SimpleQueue

import pytest
from pyspark.sql import SparkSession
from serving import Switchboard, plugged_in, running_engine, serving
from support.commit_gate import CommitGate, let_pass
from support.spark_sessions import spark_session
from support.step_process import Step, kill, load_and_refresh, load_landed, step_process

from renewables.landing import LandedFile, record
from renewables.schemas import BRONZE, QUARANTINE, REVISIONS, SILVER, Schema
from renewables.silver import refresh
from renewables.sources import MEASURES

FIRST = {
    "hydro": "Chad,TCD,2020,60\nMali,MLI,2020,30\nMali,MLI,2021,x\nTogo,TGO,2020,1\n",
    "solar": "Chad,TCD,2020,50\nMali,MLI,2020,50\n",
    "wind": "Chad,TCD\n",
    "rain": "Peru,PER,2020,5\n",
}
"""Chad's sum is too much; the rows of wind are broken, and the measure of rain is not known."""

REVISION = {"hydro": "Chad,TCD,2020,30\nMali,MLI,2020,60\nMali,MLI,2021,101\n"}
"""Chad's sum fits and Mali's does no more, and Togo is dropped."""

LATE = {"hydro": "Chad,TCD,2020,31\nNiger,NER,2020,x\n"}
"""Older than the revision: nothing of it goes to silver."""

STAGES = ((1, FIRST, (True, False)), (3, REVISION, (False,)), (2, LATE, (False,)))
"""The day and the content of the files that come, and whether the commits of killed runs are lost.

A commit that is lost comes again with the next run.
"""

MOST_KILLS = 20
"""In one stage; its writes are fewer."""


@dataclass
class Processes:
    """Steps against the engine at `remote`, whose commits come through the gate."""

    remote: str
    gate: CommitGate

    def start(self, step: Step, schema: Schema, landing: Path) -> ForkServerProcess:
        process = step_process(step, self.remote, schema, landing)
        process.start()
        return process

    def is_killed_at_a_commit(self, schema: Schema, landing: Path, *, is_lost: bool) -> bool:
        """Whether load and silver came to a commit, and so were killed; without one they succeed."""
        process = step_process(load_and_refresh, self.remote, schema, landing)

        async def kill_it() -> bool:
            self.gate.on_commit = let_pass
            kill(process)
            return not is_lost

        self.gate.on_commit = kill_it
        process.start()
        process.join()
        self.gate.on_commit = let_pass
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode != 0


@pytest.fixture(scope="module")
def processes(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    if engine != "sail":
        pytest.skip(f"no gate stands between {engine} and its catalog")
    board = Switchboard()
    gate = CommitGate(board)
    with (
        serving(gate) as board.url,
        plugged_in(board, tmp_path_factory.mktemp("killed")) as workspace,
        running_engine(workspace) as running,
    ):
        yield Processes(running.remote, gate)


@pytest.fixture(scope="module")
def spark(processes: Processes) -> Iterator[SparkSession]:
    with spark_session(processes.remote) as session:
        yield session


def land(landing: Path, files: dict[str, str], modified: int) -> None:
    for source, lines in files.items():
        folder = "unfit" if source == "rain" else source
        name = landing / folder / f"{source}{modified}.csv"
        record(LandedFile(name, f"{source}.csv", datetime(2026, 1, modified, tzinfo=UTC)))
        name.write_text(f"Entity,Code,Year,{source} - % electricity\n{lines}")


def contents(spark: SparkSession, schema: Schema) -> dict[str, Counter[str]]:
    """The rows of all tables, but for when and in which run they came."""
    volatile = {"_loaded_at", "_run_id", "leaves_nothing"}
    tables = {}
    for table in (BRONZE, SILVER, QUARANTINE, REVISIONS):
        columns = [name for name in table.column_names if name not in volatile]
        rows = spark.table(schema.table(table)).select(*columns).collect()
        tables[table.name] = Counter(str(row) for row in rows)
    return tables


def test_killed_at_every_commit(
    spark: SparkSession,
    schema: Schema,
    module_schema: Schema,
    processes: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time the tables end as those of runs that nothing disturbed."""
    kills = 0
    for modified, files, fates in STAGES:
        land(tmp_path, files, modified)
        load_and_refresh(spark, module_schema, tmp_path)
        for is_lost in islice(cycle(fates), MOST_KILLS):
            if not processes.is_killed_at_a_commit(schema, tmp_path, is_lost=is_lost):
                break
            kills += 1
        else:
            pytest.fail("What was written is written again each time.")
        assert contents(spark, schema) == contents(spark, module_schema)
        assert refresh(spark, schema).rows_read == 0
        monkeypatch.setitem(MEASURES, "rain - % electricity", "wind")
    assert kills > 20


@pytest.mark.parametrize("dead_first", [True, False], ids=["first", "last"])
def test_of_two_loads_at_once_one_is_killed(
    spark: SparkSession,
    schema: Schema,
    processes: Processes,
    tmp_path: Path,
    dead_first: bool,
) -> None:
    """Both are about to commit the same version of bronze; the dead one's commit is the first or the last."""
    land(tmp_path, {"hydro": FIRST["hydro"], "solar": FIRST["solar"]}, 1)
    arrived: SimpleQueue[Future[bool]] = SimpleQueue()

    async def hold() -> bool:
        decision: Future[bool] = Future()
        arrived.put(decision)
        return await asyncio.wrap_future(decision)

    processes.gate.on_commit = hold
    loads, commits = [], []
    for _ in range(2):
        loads.append(processes.start(load_landed, schema, tmp_path))
        commits.append(arrived.get())
    processes.gate.on_commit = let_pass
    dead, alive = loads
    kill(dead)
    for commit in commits if dead_first else reversed(commits):
        commit.set_result(True)
    alive.join()
    assert alive.exitcode == 0
    load_landed(spark, schema, tmp_path)
    loaded = spark.table(schema.table(BRONZE)).groupBy("_content_hash").count()
    assert {tuple(row) for row in loaded.collect()} == {("hydro1", 4), ("solar1", 2)}
