from __future__ import annotations

import socket

import grpc
import pytest
from pyspark.errors.exceptions.connect import SparkConnectGrpcException

from local_workspace.reason import reason
from local_workspace.runtime import failure, sql_session
from local_workspace.sql.engine_errors import translate


@pytest.fixture(scope="module")
def error() -> SparkConnectGrpcException:
    """As pyspark raises it for a call that nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/spark.connect.SparkConnectService/Config")(b"")
    return SparkConnectGrpcException(str(caught.value))


def test_an_error_of_grpc_is_told_by_its_details(error: SparkConnectGrpcException) -> None:
    assert str(error).startswith("<_InactiveRpcError of RPC that terminated with:")
    told = reason(str(error))
    assert told.startswith("failed to connect to all addresses")
    assert sql_session.describe(error) == (told, None)
    assert translate(str(error), "SELECT 1").message == told
    assert failure.describe(error)[0] == f"SparkConnectGrpcException: {told}"


@pytest.mark.parametrize(
    ("details", "told"),
    [("one\ntwo", "one"), ('a "b"', 'a "b"'), ("", "gRPC status INTERNAL")],
)
def test_details_are_cut_at_their_first_line(details: str, told: str) -> None:
    text = (
        "<_MultiThreadedRendezvous of RPC that terminated with:\n\tstatus = StatusCode.INTERNAL\n"
        f'\tdetails = "{details}"\n\tdebug_error_string = "INTERNAL"\n>'
    )
    assert reason(text) == told


def test_any_other_text_is_told_by_its_first_line() -> None:
    assert reason("\nboom\nand more") == "boom"
    assert reason("") == ""
