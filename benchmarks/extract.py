"""Memory and time of extract for a large file over HTTP, against reading and hashing the same stream.

`python benchmarks/extract.py [--megabytes N]`: a server on loopback makes the CSV up as it sends it. The
target, a peak under 200 MB, is for 2,000 MB and holds for any size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

HEADER = b"Entity,Code,Year,Wind (% electricity)\n"
BLOCK = b"".join(b"Entity %06d,E%06d,2020,12.345\n" % (n, n) for n in range(30_000))

MEASURED = """
import resource, sys, time
from pathlib import Path
uri, landing = sys.argv[1:]
{imports}
started = time.perf_counter()
{code}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.perf_counter() - started, peak)
"""
EXTRACT = MEASURED.format(
    imports="from renewables.extract import extract", code="extract(uri, Path(landing))"
)
HASH = MEASURED.format(
    imports="import hashlib, urllib.request",
    code="digest = hashlib.sha256()\n"
    "with urllib.request.urlopen(uri) as stream:\n"
    "    while chunk := stream.read(1024 * 1024):\n"
    "        digest.update(chunk)",
)


class Source(BaseHTTPRequestHandler):
    """Answers each request with the header and as many blocks as make up the size."""

    blocks: ClassVar[int] = 0

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(HEADER) + self.blocks * len(BLOCK)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(HEADER)
        for _ in range(self.blocks):
            self.wfile.write(BLOCK)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(megabytes: int) -> Iterator[str]:
    """The URL of a CSV of that size."""
    Source.blocks = max(1, megabytes * 1_000_000 // len(BLOCK))
    with ThreadingHTTPServer(("127.0.0.1", 0), Source) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/wind.csv"
        finally:
            server.shutdown()
            thread.join()


def measure(code: str, uri: str) -> tuple[float, float]:
    """Seconds, and the peak of the process in megabytes."""
    with tempfile.TemporaryDirectory() as landing:
        command = [sys.executable, "-c", code, uri, landing]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=300)
    given = parser.parse_args()
    with serving(given.megabytes) as uri:
        seconds, peak = measure(EXTRACT, uri)
        plain_seconds, plain_peak = measure(HASH, uri)
    met = "ok" if peak < 200 else "MISSED"
    print(f"extract of {given.megabytes} MB peaks at {peak:.0f} MB (less than 200: {met})")
    print(
        f"{peak / plain_peak:.1f} x the memory of reading and hashing alone ({plain_peak:.0f} MB)"
    )
    print(f"{seconds:.1f} s, {seconds / plain_seconds:.1f} x its time ({plain_seconds:.1f} s)")


if __name__ == "__main__":
    main()
