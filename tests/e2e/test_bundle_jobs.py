"""The bundle's jobs on the local workspace, without Airflow: results, bad input, repair."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from support.launcher import ROOT
from support.workspace_process import WorkspaceProcess, workspace_process

from local_workspace import cli
from local_workspace.statement import rows_of


@dataclass(frozen=True)
class Finished:
    """A command's output and its exit code."""

    returncode: int
    stdout: str
    stderr: str


LocalWorkspace = Callable[..., Finished]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceProcess]:
    with workspace_process(tmp_path_factory.mktemp("workspace")) as served:
        served.start()
        yield served


@pytest.fixture(scope="module")
def local_workspace(workspace: WorkspaceProcess) -> LocalWorkspace:
    """The command line, on the deployed bundle; in this process, which has loaded what it takes seconds to load."""

    def call(*arguments: str) -> Finished:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {"LOCAL_WORKSPACE_STATE": str(workspace.state.root)}),
            chdir(ROOT),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = cli.main(arguments)
        return Finished(code, out.getvalue(), err.getvalue())

    deployed = call("deploy", "--json")
    assert deployed.returncode == 0, deployed.stderr
    assert sorted(json.loads(deployed.stdout)) == ["ingest", "transform"]
    return call


def failure(workspace: WorkspaceProcess, finished: Finished) -> str:
    """The error of the one task of the newest run that failed by itself."""
    assert finished.returncode == 1, finished.stdout
    client = workspace.client()
    newest = next(iter(client.jobs.list_runs(expand_tasks=True)))
    run = client.jobs.get_run(newest.run_id or 0)
    failed = [
        t
        for t in run.tasks or ()
        if t.state and t.state.result_state and t.state.result_state.value == "FAILED"
    ]
    run_ids = [task.run_id or 0 for task in failed]
    for run_id in list(run_ids):
        iterations = client.jobs.get_run(run_id).iterations or ()
        run_ids += [
            i.run_id or 0
            for i in iterations
            if i.state and i.state.result_state and i.state.result_state.value == "FAILED"
        ]
    errors = [client.jobs.get_run_output(run_id).error for run_id in run_ids]
    return next(error for error in reversed(errors) if error)


def test_both_jobs_fill_the_tables(
    local_workspace: LocalWorkspace, workspace: WorkspaceProcess
) -> None:
    for job in ("ingest", "transform"):
        finished = local_workspace("run", job)
        assert finished.returncode == 0, finished.stdout + finished.stderr
    query = "SELECT entity, year, shw_percent FROM main.renewables.gold_shw_share WHERE entity = 'Norway'"
    rows = json.loads(local_workspace("sql", query, "--json").stdout)
    assert len(rows) > 10
    assert set(rows[0]) == {"entity", "year", "shw_percent"}
    counts = "SELECT count(*), count(DISTINCT entity, year) FROM main.renewables.gold_shw_share"
    ((all_rows, keys),) = rows_of(workspace.client(), counts)[1]
    assert all_rows == keys


def test_a_source_without_csvs(
    local_workspace: LocalWorkspace, workspace: WorkspaceProcess, tmp_path: Path
) -> None:
    finished = local_workspace("run", "ingest", "--param", f"source_uri={tmp_path}")
    assert str(tmp_path) in failure(workspace, finished)


def test_a_source_that_is_not_there(
    local_workspace: LocalWorkspace, workspace: WorkspaceProcess
) -> None:
    finished = local_workspace("run", "ingest", "--param", "source_uri=/not/there")
    assert failure(workspace, finished).startswith(
        "SourceUnreachable: The source /not/there cannot be read: it does not exist."
    )


def test_a_country_that_no_source_reports(
    local_workspace: LocalWorkspace, workspace: WorkspaceProcess
) -> None:
    finished = local_workspace("run", "transform", "--param", 'countries=["Norwya"]')
    newest = workspace.client().jobs.get_run(
        next(iter(workspace.client().jobs.list_runs())).run_id or 0
    )
    report = next(task for task in newest.tasks or () if task.task_key == "report")
    shown = workspace.client().jobs.get_run_output(report.run_id or 0)
    assert (shown.error or "").endswith("(iterations: 1)")
    assert "No source reports on 'Norwya' in gold_shw_share: did you mean Norway" in failure(
        workspace, finished
    )


def test_a_failed_run_is_repaired_from_the_command_line(
    local_workspace: LocalWorkspace, workspace: WorkspaceProcess
) -> None:
    assert local_workspace("faults", "add", "--task", "gold").returncode == 0
    failed = local_workspace("run", "transform")
    assert failed.returncode == 1
    run_id = next(iter(workspace.client().jobs.list_runs())).run_id
    repaired = local_workspace("repair", str(run_id))
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr


def test_an_unknown_job_is_named(local_workspace: LocalWorkspace) -> None:
    finished = local_workspace("run", "nonsense")
    assert finished.returncode == 1
    assert finished.stderr.startswith(
        "error: The bundle has deployed no job 'nonsense' (deployed: ingest, transform)"
    )
