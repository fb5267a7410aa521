"""What `--engine` and `--catalog` choose."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving import sail_server, session_on_sail
from support.engines import ENGINES, NoEngine
from support.spark_sessions import current_session


def test_spark_is_the_server_that_spark_remote_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sail_server(tmp_path) as remote:
        monkeypatch.setenv("SPARK_REMOTE", remote)
        with ENGINES["spark"].session(tmp_path) as session:
            assert session.catalog.currentCatalog() == "main"
            session.stop()


def test_spark_needs_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    with (
        pytest.raises(NoEngine, match=r"SPARK_REMOTE.*`make parity` starts one"),
        ENGINES["spark"].session(tmp_path),
    ):
        pass


def test_databricks_needs_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes no other server instead."""
    for name in ("HOST", "TOKEN", "CONFIG_PROFILE", "CLUSTER_ID", "SERVERLESS_COMPUTE_ID"):
        monkeypatch.delenv(f"DATABRICKS_{name}", raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:1")
    with (
        pytest.raises(NoEngine, match=r"no workspace \(.*\): run `databricks auth login`"),
        ENGINES["databricks"].session(tmp_path),
    ):
        pass


def test_no_session_is_left_when_its_engine_has_ended(tmp_path: Path) -> None:
    with session_on_sail(tmp_path) as session:
        assert session.range(3).count() == 3
    assert current_session() is None
