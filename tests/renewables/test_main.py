from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from renewables import __main__ as command
from renewables.extract import extract
from renewables.gold import GOLD
from renewables.schemas import Schema

pytestmark = pytest.mark.local_files

FIXTURES = Path(__file__).parents[2] / "fixtures" / "owid"

ComputeGold = Callable[[Schema], DataFrame]


@pytest.fixture
def run(
    spark: SparkSession,
    schema: Schema,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Runs a command line on the test's schema; its exit code, and what it printed."""
    monkeypatch.setattr(command, "_session", lambda _: spark)

    def run_one(*arguments: str) -> tuple[int, str]:
        code = command.main(["--catalog", schema.catalog, "--schema", schema.name, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run_one


Run = Callable[..., tuple[int, str]]


def test_runs_each_step(
    run: Run, spark: SparkSession, schema: Schema, compute_gold: ComputeGold, tmp_path: Path
) -> None:
    landing, reports = str(tmp_path / "landing"), tmp_path / "reports"
    code, printed = run("extract", str(FIXTURES), landing)
    assert (code, printed.count(" landed as ")) == (0, 3)
    assert run("load", landing) == (0, "3 files are new\n")
    code, printed = run("silver")
    assert code == 0
    assert printed.startswith("3118 rows read = 3118 kept + 0 quarantined\n0.00 % of the rows in")
    code, printed = run("gold")
    assert code == 0
    table = schema.table(GOLD)
    assert printed.endswith(f" rows in {table}\n")
    here = spark.table(table).orderBy("entity", "year").toPandas()
    there = compute_gold(schema).orderBy("entity", "year").toPandas()
    assert_frame_equal(here, there, check_exact=True)
    assert run("report", "Norway", "--folder", str(reports))[0] == 0
    assert run("overview", "--folder", str(reports))[0] == 0
    assert len(list(reports.iterdir())) == 4


def test_names_what_does_not_fit(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "coal.csv"
    path.write_text("Entity,Code,Year,Coal (% electricity)\nChad,TCD,2020,1\n")
    extract(str(path), tmp_path / "landing")
    code, printed = run("load", str(tmp_path / "landing"))
    assert code == 0
    assert f"Rejected: {path} has 0 known measures instead of one" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gold",), "silver_share_electricity"),
        (("report", "Norway"), "gold_shw_share"),
        (("gold", "--sql", "/nowhere.sql"), "PipelineError: /nowhere.sql cannot be read"),
        (("extract", "/nowhere", "x"), "SourceUnreachable: The source /nowhere cannot be read"),
    ],
)
def test_fails_with_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, printed = run(*arguments)
    assert code == 1
    assert message in printed
    assert printed.count("\n") == 1


def test_names_a_folder_that_is_missing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("load", "/nowhere")
    assert "/nowhere is no folder: extract a source into it first." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "NoSession: default auth: cannot configure default credentials"),
        (("--remote", "http://x"), "NoSession: No Spark Connect server answers at x:15002"),
        (
            ("--remote", "sc://x:y"),
            "NoSession: Port could not be cast to integer value as 'y'. Use sc:",
        ),
        (("--remote", "nothing"), "NoSession: [INVALID_CONNECT_URL] Invalid URL for Spark Connect"),
        (
            ("--remote", "sc://127.0.0.1:1/;token=secret"),
            "answers at 127.0.0.1:1 (Connection refused): start",
        ),
        (
            ("--remote", "sc://none.invalid"),
            "No Spark Connect server answers at none.invalid:15002",
        ),
    ],
)
def test_says_in_one_line_that_there_is_no_session(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
        monkeypatch.delenv(name)
    for name in ("SPARK_REMOTE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    assert command.main([*arguments, "silver"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
    assert "secret" not in printed.err
    assert "--remote" in printed.err or "sc://" in printed.err
