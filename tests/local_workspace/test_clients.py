"""Unmodified clients of a whole workspace: large files through the SDK, databricks-connect beside running jobs."""

from __future__ import annotations

import io
from collections.abc import Iterator

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.jobs import NotebookTask, RunLifeCycleState, Task
from databricks.sdk.service.workspace import ImportFormat, Language
from pyspark.sql import SparkSession
from support.spark_sessions import spark_session
from support.workspace_process import WorkspaceProcess, workspace_process

from local_workspace.settings import read_env_file

MIB = 1024 * 1024
SIZE = 192 * MIB
ALLOWED_GROWTH = 48 * MIB
FILE = "/Volumes/main/s/v/large.bin"

TABLE = "main.s.shared"
SHELL_ROWS = 8
NOTEBOOK = "/Workspace/Shared/append"
SOURCE = f"""
for _ in range(2):
    spark.sql("INSERT INTO {TABLE} SELECT 'job', id FROM range(3)")
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcess]:
    with workspace_process(tmp_path_factory.mktemp("workspace")) as served:
        client = served.start()
        client.schemas.create("s", "main")
        client.volumes.create("main", "s", "v", VolumeType.MANAGED)
        yield served


@pytest.fixture(scope="module")
def client(workspace: WorkspaceProcess) -> WorkspaceClient:
    return workspace.client()


class Memory:
    """How many bytes a process has grown at most; `watch` is called every now and then."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._process.memory_info().rss
        self.growth = 0

    def watch(self) -> None:
        self.growth = max(self.growth, self._process.memory_info().rss - self._before)


class Zeros(io.RawIOBase):
    """`SIZE` bytes that are nowhere, read while the memory is watched."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._left = SIZE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._memory.watch()
        size = min(len(buffer), self._left)
        buffer[:size] = bytes(size)
        self._left -= size
        return size


def test_a_large_file_is_streamed_in_both_directions(
    workspace: WorkspaceProcess, client: WorkspaceClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert workspace.process is not None
    # Once before the measurement, for what is loaded when it is first used.
    client.files.upload(FILE, io.BytesIO(bytes(64 * MIB)))
    memory = Memory(workspace.process.pid)
    client.files.upload(FILE, io.BufferedReader(Zeros(memory), MIB), overwrite=True)
    assert client.files.get_metadata(FILE).content_length == SIZE
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []

    content = client.files.download(FILE).contents
    assert content is not None
    received = 0
    with content:
        while part := content.read(MIB):
            received += len(part)
            memory.watch()
    assert received == SIZE
    assert memory.growth < ALLOWED_GROWTH, f"The server grew by {memory.growth // MIB} MiB."


def test_databricks_connect_uses_the_tables_of_running_jobs(
    workspace: WorkspaceProcess, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a shell with `.local/workspace.env`: both write, no row is lost, no commit is seen in half."""
    for name, value in read_env_file(workspace.state.env_file).items():
        monkeypatch.setenv(name, value)
    with spark_session() as spark:
        written, counts = _written_together(client, spark)
    assert counts == {"shell": written, "job": 12}


def _written_together(client: WorkspaceClient, spark: SparkSession) -> tuple[int, dict[str, int]]:
    """How many rows the shell has written when the job has ended, and what the table has of each."""
    spark.sql(f"CREATE TABLE {TABLE} (writer STRING, id BIGINT)")
    source = SOURCE.encode()
    client.workspace.upload(NOTEBOOK, source, format=ImportFormat.SOURCE, language=Language.PYTHON)
    tasks = [Task(key, notebook_task=NotebookTask(NOTEBOOK)) for key in ("one", "two")]
    run_id = client.jobs.submit(run_name="writers", tasks=tasks).run_id

    written = 0
    while not _has_ended(client, run_id):
        if written < SHELL_ROWS:
            spark.sql(f"INSERT INTO {TABLE} VALUES ('shell', {written})")
            written += 1
        counts = _counts(spark)
        assert counts["shell"] == written
        assert counts.get("job", 0) % 3 == 0

    return written, _counts(spark)


def _counts(spark: SparkSession) -> dict[str, int]:
    rows = spark.table(TABLE).groupBy("writer").count().collect()
    return {row.writer: row["count"] for row in rows}


def _has_ended(client: WorkspaceClient, run_id: int) -> bool:
    state = client.jobs.get_run(run_id).state
    assert state is not None
    return state.life_cycle_state is RunLifeCycleState.TERMINATED
