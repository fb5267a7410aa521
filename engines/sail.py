"""Run Sail, a Spark Connect server, until stdin ends; its first line on stdout is {"port": N}.

Whoever starts this holds the other end of stdin, so the server ends with it, however it ends. The
catalog and all other settings come from the environment (SAIL_...).
"""

import argparse
import json
import os
import sys

from pysail.spark import SparkConnectServer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    server = SparkConnectServer("127.0.0.1", parser.parse_args().port)
    server.start(background=True)
    address = server.listening_address
    assert address is not None
    print(json.dumps({"port": address[1]}), flush=True)
    # Nobody reads stdout from here on, and Python UDFs may print.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdin.buffer.read()
    # Not stop(): that waits for queries. Whenever this ends, a Delta commit is whole or absent.
    os._exit(0)


if __name__ == "__main__":
    main()
