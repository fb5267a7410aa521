"""Run Sail, a Spark Connect server, until stdin ends; with several lists of catalogs at several ports.

Sail reads its catalogs when a server is made, so each list has a server of its own. All of them are in this
process: a further one takes milliseconds and a few megabytes.

Each line of stdin asks for one thing, and one line of stdout answers: {"port": N, "environment": {"SAIL_...": ...}}
starts a server (0 for any port that is free) with these settings, answered with {"port": N}, and {"stop": N} ends
that server's sessions, answered with {}. What fails is answered with {"error": message}.
Whoever starts this holds the other end of stdin, so the servers end with it, however it ends.
"""

import json
import os
import sys
from typing import Any

from pysail.spark import SparkConnectServer


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # Nobody reads this process's stdout, and Python UDFs may print.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    servers: dict[int, SparkConnectServer] = {}
    for line in iter(sys.stdin.readline, ""):
        try:
            answer = carry_out(json.loads(line), servers)
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
    # Not stop(): that waits for queries. Whenever this ends, a Delta commit is whole or absent.
    os._exit(0)


def carry_out(request: dict[str, Any], servers: dict[int, SparkConnectServer]) -> dict[str, Any]:
    if "stop" in request:
        servers.pop(request["stop"]).stop()
        return {}
    os.environ.update(request["environment"])
    server = SparkConnectServer("127.0.0.1", request["port"])
    server.start(background=True)
    if server.listening_address is None:
        raise RuntimeError(f"port {request['port']} cannot be served")
    port = server.listening_address[1]
    servers[port] = server
    return {"port": port}


if __name__ == "__main__":
    main()
