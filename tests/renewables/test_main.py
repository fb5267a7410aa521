from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from renewables import __main__ as command
from renewables.extract import extract
from renewables.schemas import Schema

FIXTURE = Path(__file__).parents[2] / "fixtures" / "owid" / "share-electricity-wind.csv"


@pytest.fixture
def run(
    spark: SparkSession,
    schema: Schema,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> object:
    """Runs a command line on the test's schema; its exit code, and what it printed."""
    monkeypatch.setattr(command, "_session", lambda: spark)

    def run_one(*arguments: str) -> tuple[int, str]:
        code = command.main(["--catalog", schema.catalog, "--schema", schema.name, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run_one


def test_runs_single_transforms(run: object, tmp_path: Path) -> None:
    assert callable(run)
    extract(str(FIXTURE), tmp_path)
    assert run("load", str(tmp_path)) == (0, "1 files are new\n")
    code, printed = run("silver")
    assert code == 0
    assert printed.startswith("Refresh(rows_read=1016, rows_kept=1016, rows_quarantined=0")


def test_names_an_unfit_source(run: object, tmp_path: Path) -> None:
    assert callable(run)
    path = tmp_path / "coal.csv"
    path.write_text("Entity,Code,Year,Coal (% electricity)\nChad,TCD,2020,1\n")
    extract(str(path), tmp_path / "landing")
    code, printed = run("load", str(tmp_path / "landing"))
    assert code == 0
    assert f"Rejected: {path} has 0 known measures instead of one" in printed
