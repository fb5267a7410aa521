"""Results by external links: `disposition=EXTERNAL_LINKS`, in each format, through the SDK and pyarrow."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.sql import (
    Disposition,
    ExternalLink,
    Format,
    StatementResponse,
    StatementState,
)
from support.waiting import PATIENCE

from local_workspace.api import statement_results
from local_workspace.runtime.result_files import write
from local_workspace.runtime.result_set import ResultSet

from .sql_serving import SqlWorkspace, execute, state_of

LINKS = Disposition.EXTERNAL_LINKS
WIDE = "SELECT id, repeat('x', 1000000) AS text FROM range(40) ORDER BY id"
"""40 MB: above the limit of an inline result, and more than one chunk."""


@pytest.fixture
def link(client: WorkspaceClient) -> str:
    return address(link_of(execute(client, "SELECT 1 AS one", disposition=LINKS)))


def link_of(answer: StatementResponse) -> ExternalLink:
    assert state_of(answer) is StatementState.SUCCEEDED, answer.status
    assert answer.result is not None
    (found,) = answer.result.external_links or ()
    return found


def address(found: ExternalLink) -> str:
    assert found.external_link is not None
    return found.external_link


def fetched(found: ExternalLink) -> bytes:
    """Without the token, as from cloud storage."""
    answer = requests.get(address(found), timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == found.byte_count
    return answer.content


def links(client: WorkspaceClient, answer: StatementResponse) -> Iterator[ExternalLink]:
    assert answer.statement_id is not None
    found = link_of(answer)
    yield found
    while found.next_chunk_index is not None:
        chunk = client.statement_execution.get_statement_result_chunk_n
        (found,) = chunk(answer.statement_id, found.next_chunk_index).external_links or ()
        yield found


def test_a_result_as_an_arrow_stream_keeps_its_types(client: WorkspaceClient) -> None:
    query = "SELECT 1.50BD AS price, DATE'2026-11-21' AS day, array(1, NULL) AS list, NULL AS none"
    answer = execute(client, query, disposition=LINKS, format=Format.ARROW_STREAM)

    table = pa.ipc.open_stream(fetched(link_of(answer))).read_all()

    (row,) = table.to_pylist()
    assert (row["price"], str(row["day"])) == (Decimal("1.50"), "2026-11-21")
    assert (row["list"], row["none"]) == ([1, None], None)
    assert answer.manifest is not None
    assert answer.manifest.format is Format.ARROW_STREAM
    assert answer.manifest.total_row_count == 1


def test_a_large_result_comes_in_chunks_that_link_to_each_other(client: WorkspaceClient) -> None:
    answer = execute(client, WIDE, disposition=LINKS, format=Format.ARROW_STREAM)
    assert answer.manifest is not None
    assert answer.manifest.truncated is False
    found = list(links(client, answer))
    assert len(found) == answer.manifest.total_chunk_count == 3
    assert [chunk.chunk_index for chunk in found] == [0, 1, 2]
    tables = [pa.ipc.open_stream(fetched(chunk)).read_all() for chunk in found]
    assert [chunk.row_count for chunk in found] == [table.num_rows for table in tables]
    assert pa.concat_tables(tables)["id"].to_pylist() == list(range(40))
    following = f"/api/2.0/sql/statements/{answer.statement_id}/result/chunks/1"
    assert found[0].next_chunk_internal_link == following
    assert found[2].next_chunk_internal_link is None


def test_a_result_as_csv_and_as_json(client: WorkspaceClient) -> None:
    query = "SELECT concat('a,\"', id) AS text, id, NULL AS none FROM range(2) ORDER BY id"
    comma = fetched(link_of(execute(client, query, disposition=LINKS, format=Format.CSV)))
    assert list(csv.reader(io.StringIO(comma.decode(), newline=""))) == [
        ["text", "id", "none"],
        ['a,"0', "0", "null"],
        ['a,"1', "1", "null"],
    ]
    compact = fetched(link_of(execute(client, query, disposition=LINKS)))
    assert json.loads(compact) == [['a,"0', "0", None], ['a,"1', "1", None]]
    assert b" " not in compact


def test_only_the_first_chunk_of_csv_has_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_workspace.runtime.result_files.CHUNK_BYTES", 8)
    result = ResultSet([("n", "BIGINT", "LONG")], pa.table({"n": [1, 2]}))
    assert write(result, str(tmp_path), "CSV", None) == ([(1, 6), (1, 3)], False)
    assert [(tmp_path / name).read_bytes() for name in "01"] == [b"n\r\n1\r\n", b"2\r\n"]


def test_limits_cut_the_result(client: WorkspaceClient) -> None:
    for limits in ({"row_limit": 2}, {"byte_limit": 16}):
        answer = execute(client, "SELECT id FROM range(9)", disposition=LINKS, **limits)
        assert answer.manifest is not None
        assert (answer.manifest.total_row_count, answer.manifest.truncated) == (2, True)


def test_a_statement_without_rows_has_no_link(client: WorkspaceClient) -> None:
    for statement in ("SELECT 1 WHERE false", "CREATE TABLE default.linked (a INT)"):
        answer = execute(client, statement, disposition=LINKS, format=Format.ARROW_STREAM)
        assert state_of(answer) is StatementState.SUCCEEDED
        assert answer.manifest is not None
        assert answer.manifest.total_chunk_count == 0
        assert answer.result is not None
        assert not answer.result.external_links


def test_a_link_opens_its_own_chunk_alone(link: str, workspace: SqlWorkspace) -> None:
    assert requests.get(link, timeout=PATIENCE).json() == [["1"]]
    path, _, query = link.partition("?")
    parts = parse_qs(query)
    later = f"{path}?expires={int(parts['expires'][0]) + 1}&signature={parts['signature'][0]}"
    for other in (f"{path[:-1]}1?{query}", later, f"{path}?{query[:-1]}"):
        refused = requests.get(other, timeout=PATIENCE)
        assert refused.status_code == 403
        assert refused.json() == {
            "error_code": "PERMISSION_DENIED",
            "message": "The signature does not belong to this link.",
        }
    assert workspace.token not in link
    assert (
        requests.get(path, timeout=PATIENCE).json()["message"] == "Missing required field: expires"
    )


def test_a_link_takes_no_token(link: str) -> None:
    refused = requests.get(link, headers={"Authorization": "Bearer dapi-test"}, timeout=PATIENCE)
    assert refused.status_code == 400
    assert "without an Authorization header" in refused.json()["message"]


def test_a_link_expires(client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_results, "LINK_SECONDS", -1)
    found = link_of(execute(client, "SELECT 1", disposition=LINKS))
    refused = requests.get(address(found), timeout=PATIENCE)
    assert refused.status_code == 403
    assert "The link has expired" in refused.json()["message"]


def test_a_closed_statement_keeps_no_files(
    client: WorkspaceClient, workspace: SqlWorkspace, link: str
) -> None:
    statement_id = urlsplit(link).path.split("/")[2]
    folder = workspace.statements.files(statement_id)
    assert [file.name for file in folder.iterdir()] == ["0"]
    change = "UPDATE sql_statements SET ended_at = ended_at - 3600001 WHERE statement_id = ?"
    workspace.db.execute(change, (statement_id,))
    refused = requests.get(link, timeout=PATIENCE)
    assert refused.status_code == 404
    assert refused.json()["message"].endswith("is no longer kept.")
    assert not folder.exists()
    with pytest.raises(NotFound, match="has no result chunk 0"):
        client.statement_execution.get_statement_result_chunk_n(statement_id, 0)
