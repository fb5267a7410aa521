"""Results of the Statement Execution API: the manifest, chunks, and links to chunks that are files.

A link is what a presigned URL of cloud storage is on Databricks: whoever has it may fetch the chunk, without the
token, until it expires. https://docs.databricks.com/aws/en/dev-tools/sql-execution-tutorial
"""

from __future__ import annotations

import dataclasses
import hmac
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from local_workspace.api.endpoint import Params
from local_workspace.errors import ApiError, PermissionDenied, ResourceDoesNotExist
from local_workspace.store.statements import EXTERNAL_LINKS, Chunk, Statement

if TYPE_CHECKING:
    from local_workspace.workspace import Workspace

LINKS = "/sql-results"
LINK_SECONDS = 15 * 60
"""Databricks' links are valid for at most this long."""

MEDIA_TYPES = {
    "ARROW_STREAM": "application/vnd.apache.arrow.stream",
    "CSV": "text/csv; charset=utf-8",
    "JSON_ARRAY": "application/json",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

Answer = dict[str, Any]


class AmbiguousCredentials(ApiError):
    """Cloud storage refuses a request that has a token besides the link's signature."""

    error_code = "BAD_REQUEST"


def manifest(statement: Statement) -> Answer:
    columns = [_column(position, *column) for position, column in enumerate(statement.columns)]
    return {
        "format": statement.format,
        "schema": {"column_count": len(columns), "columns": columns},
        "total_chunk_count": len(statement.chunks),
        "chunks": [dataclasses.asdict(chunk) for chunk in statement.chunks],
        "total_row_count": sum(chunk.row_count for chunk in statement.chunks),
        "total_byte_count": sum(chunk.byte_count for chunk in statement.chunks),
        "truncated": statement.truncated,
    }


def result(workspace: Workspace, statement: Statement, index: int) -> Answer:
    """The chunk's rows or a link to them; ResourceDoesNotExist where there is no such chunk."""
    if not 0 <= index < len(statement.chunks):
        raise ResourceDoesNotExist(
            f"The statement {statement.statement_id} has no result chunk {index}."
        )
    chunk = {**dataclasses.asdict(statement.chunks[index]), **_following(statement, index)}
    if statement.disposition == EXTERNAL_LINKS:
        return {"external_links": [chunk | _link(workspace, statement.chunks[index], statement)]}
    return chunk | {"data_array": workspace.statements.rows(statement.statement_id, index)}


async def download(request: Request) -> Response:
    """The file of a chunk, for whoever has an unexpired link to it."""
    workspace: Workspace = request.app.state.workspace
    params = Params({**request.query_params, **request.path_params})
    statement_id, index = params["statement_id"], params.required_integer("chunk_index")
    expires = params.required_integer("expires")
    signature = _signature(workspace, statement_id, index, expires)
    if not hmac.compare_digest(params.required_text("signature").encode(), signature.encode()):
        raise PermissionDenied("The signature does not belong to this link.")
    if expires < time.time():
        raise PermissionDenied("The link has expired; get the result's chunk again for a new one.")
    if "authorization" in request.headers:
        raise AmbiguousCredentials(
            "Fetch an external link without an Authorization header, as from cloud storage."
        )
    statement = workspace.statements.get(statement_id)
    file = workspace.statements.files(statement_id) / str(index)
    if not file.is_file():
        raise ResourceDoesNotExist(f"The result of statement {statement_id} is no longer kept.")
    return FileResponse(file, media_type=MEDIA_TYPES[statement.format])


def _following(statement: Statement, index: int) -> Answer:
    if index + 1 == len(statement.chunks):
        return {}
    link = f"/api/2.0/sql/statements/{statement.statement_id}/result/chunks/{index + 1}"
    return {"next_chunk_index": index + 1, "next_chunk_internal_link": link}


def _link(workspace: Workspace, chunk: Chunk, statement: Statement) -> Answer:
    expires = int(time.time()) + LINK_SECONDS
    signature = _signature(workspace, statement.statement_id, chunk.chunk_index, expires)
    query = urlencode({"expires": expires, "signature": signature})
    path = f"{LINKS}/{statement.statement_id}/{chunk.chunk_index}"
    expiration = datetime.fromtimestamp(expires, UTC).isoformat(timespec="milliseconds")
    return {
        "external_link": f"{workspace.url}{path}?{query}",
        "expiration": expiration.replace("+00:00", "Z"),
    }


def _signature(workspace: Workspace, statement_id: str, index: int, expires: int) -> str:
    signed = f"{statement_id}/{index}/{expires}"
    return hmac.digest(workspace.token.encode(), signed.encode(), "sha256").hex()


def _column(position: int, name: str, type_text: str, type_name: str) -> Answer:
    column = {"name": name, "position": position, "type_name": type_name, "type_text": type_text}
    if decimal := _DECIMAL.fullmatch(type_text):
        column |= {"type_precision": int(decimal[1]), "type_scale": int(decimal[2])}
    return column
