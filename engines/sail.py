"""Run Sail, a Spark Connect server, until stdin ends; with several lists of catalogs at several ports.

Sail reads its catalogs when a server is made, so each list has a server of its own. All of them are in this
process: a further one takes milliseconds and a few megabytes. Clients reach a server through its gate alone.

Each line of stdin asks for one thing, and one line of stdout answers: {"port": N, "token": "...",
"environment": {"SAIL_...": ...}} starts a server (0 for any port that is free) with these settings, answered with
{"port": N, "is_closed": whether other users are kept from the server behind the gate}, and {"stop": N} ends that
server's sessions, answered with {}. What fails is answered with {"error": message}.
Whoever starts this holds the other end of stdin, so the servers end with it, however it ends.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

# This script runs isolated, so that no other folder is searched for modules.
sys.path.append(str(Path(__file__).parent))

from admission import IS_SUPPORTED, admit_only
from gate import LOOPBACK, AnyPort, Gates, SourcePort
from pysail.spark import SparkConnectServer


class Servers:
    def __init__(self) -> None:
        self._source = SourcePort() if IS_SUPPORTED else AnyPort()
        self._gates = Gates(self._source)
        self._servers: dict[int, SparkConnectServer] = {}

    def carry_out(self, request: dict[str, Any]) -> dict[str, Any]:
        if "stop" in request:
            self._gates.close(request["stop"])
            self._servers.pop(request["stop"]).stop()
            return {}
        os.environ.update(request["environment"])
        server = SparkConnectServer(LOOPBACK, 0)
        server.start(background=True)
        if server.listening_address is None:
            raise RuntimeError("Sail has no address")
        behind = server.listening_address[1]
        if self._source.number is not None:
            admit_only(self._source.number, behind)
        port = self._gates.open(request["port"], behind, request["token"])
        self._servers[port] = server
        return {"port": port, "is_closed": self._source.number is not None}


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # Nobody reads this process's stdout, and Python UDFs may print.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    servers = Servers()
    for line in iter(sys.stdin.readline, ""):
        try:
            answer = servers.carry_out(json.loads(line))
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
    # Not stop(): that waits for queries. Whenever this ends, a Delta commit is whole or absent.
    os._exit(0)


if __name__ == "__main__":
    main()
