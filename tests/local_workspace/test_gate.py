"""The Spark Connect port and the engine behind it are for those who know the token."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from serving import Switchboard, plugged_in, running_engine
from support.spark_sessions import spark_session
from support.waiting import wait_until

from local_workspace.execution.engine import Engine

NOBODY = 65534
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
WITHOUT_TOKEN = b"\0\0\1\1\5\0\0\0\1\x82"
"""A HEADERS frame that ends the stream: `:method: GET` alone."""
FILTERED = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can filter who reaches the engine"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, switchboard: Switchboard) -> Iterator[Engine]:
    root = tmp_path_factory.mktemp("gate")
    with plugged_in(switchboard, root) as workspace, running_engine(workspace) as engine:
        yield engine


@pytest.mark.parametrize("credentials", ["", ";authorization=Bearer%20wrong", ";token2=x"])
def test_a_client_without_the_token_gets_no_session(engine: Engine, credentials: str) -> None:
    with (
        pytest.raises(SparkConnectGrpcException, match=r"token .* SPARK_REMOTE .*workspace\.env"),
        spark_session(f"sc://127.0.0.1:{engine.port}/{credentials}") as session,
    ):
        session.sql("SELECT 1").collect()


def test_a_client_with_the_token_gets_all_rows(engine: Engine) -> None:
    with spark_session(engine.remote) as session:
        assert session.range(2_000_000).toArrow().num_rows == 2_000_000


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        PREFACE + EMPTY_SETTINGS + WITHOUT_TOKEN,
        PREFACE + b"\0\0\0\0\0\0\0\0\1",
        PREFACE + EMPTY_SETTINGS * 10_000,
        PREFACE + b"\0\0\1\1\4\0\0\0\1\xff",
        PREFACE + b"\0\0\1\1\x0c\0\0\0\1\xff",
    ],
    ids=["HTTP/1", "zeros", "no token", "data first", "endless", "no HPACK", "bad padding"],
)
def test_what_is_no_call_with_the_token_is_refused(engine: Engine, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", engine.port)) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while part := connection.recv(4096):
                received += part
        except ConnectionResetError:
            pass
    # HTTP/2's own text would be compressed; the frame that ends the connection is the last.
    assert received[-17:-13] == b"\0\0\x08\x07" or not received


def test_a_client_that_hangs_up_leaves_nothing_behind(engine: Engine) -> None:
    before = connections(engine)
    for sent in (b"", PREFACE[:5], PREFACE + EMPTY_SETTINGS):
        with socket.create_connection(("127.0.0.1", engine.port)) as connection:
            connection.sendall(sent)
    wait_until(lambda: connections(engine) <= before, "the ends of the connections")


@FILTERED
def test_the_server_behind_the_gate_answers_only_the_gate(engine: Engine) -> None:
    with spark_session(engine.remote) as session:
        session.sql("SELECT 1").collect()
        behind = port_behind(engine)
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", behind), timeout=1)
        assert session.sql("SELECT 2").collect() == [(2,)]


@FILTERED
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_gets_neither_to_the_server_nor_to_its_source_port(
    engine: Engine, tmp_path: Path
) -> None:
    with spark_session(engine.remote) as session:
        session.sql("SELECT 1").collect()
        behind = port_behind(engine)
        (source,) = {
            connection.laddr.port
            for connection in psutil.Process(engine.pid).net_connections("tcp")
            if connection.raddr and connection.raddr.port == behind
        }
    script = tmp_path / "other_user.py"
    script.write_text(OTHER_USER)
    command = [sys.executable, script, str(NOBODY), str(source), str(behind)]
    tried = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert tried.splitlines() == [
        "bind 127.0.0.1: EADDRINUSE",
        "bind 127.0.0.1 with SO_REUSEADDR: EADDRINUSE",
        "bind 127.0.0.1 with SO_REUSEPORT: EADDRINUSE",
        "bind 127.9.9.9 with SO_REUSEADDR: EADDRINUSE",
        "bind 127.9.9.9 with SO_REUSEPORT: EADDRINUSE",
        "bind ::ffff:127.9.9.9 with SO_REUSEPORT: EADDRINUSE",
        "connect: timed out",
    ]


OTHER_USER = """
import errno, os, socket, sys
user, source, behind = map(int, sys.argv[1:])
os.setgroups([])
os.setgid(user)
os.setuid(user)
tries = [
    ("127.0.0.1", None),
    ("127.0.0.1", "SO_REUSEADDR"),
    ("127.0.0.1", "SO_REUSEPORT"),
    ("127.9.9.9", "SO_REUSEADDR"),
    ("127.9.9.9", "SO_REUSEPORT"),
    ("::ffff:127.9.9.9", "SO_REUSEPORT"),
]
for address, option in tries:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as taken:
        if option:
            taken.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        try:
            taken.bind((address, source))
            came = "bound"
        except OSError as error:
            came = errno.errorcode[error.errno]
    print(f"bind {address}{f' with {option}' if option else ''}: {came}")
with socket.socket() as connecting:
    connecting.settimeout(1)
    try:
        connecting.connect(("127.0.0.1", behind))
        print("connect: connected")
    except OSError as error:
        print(f"connect: {error}")
"""


def port_behind(engine: Engine) -> int:
    (behind,) = {
        connection.laddr.port
        for connection in psutil.Process(engine.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port not in engine.ports
    }
    return int(behind)


def connections(engine: Engine) -> int:
    return sum(
        connection.status == psutil.CONN_ESTABLISHED
        for connection in psutil.Process(engine.pid).net_connections("tcp")
    )
