"""A Jobs API of one page, for tests of the operator alone: runs end as the test says, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_CODES = {
    "SUCCESS": "SUCCESS",
    "FAILED": "RUN_EXECUTION_ERROR",
    "CANCELED": "USER_CANCELED",
    "TIMEDOUT": "CANCELED",
}


@dataclass
class FakeRun:
    """A run of one task whose n-th attempt ends with `results[n]`; RUNNING never ends."""

    run_id: int
    job_id: int
    results: list[str]
    parameters: dict[str, str]
    code: str | None = None
    end_time: int = 1_000
    repairs: int = 0
    polls_until_end: int = 0

    @property
    def result(self) -> str:
        return self.results[self.repairs]

    @property
    def is_active(self) -> bool:
        return self.polls_until_end > 0 or self.result == "RUNNING"

    def state(self) -> dict[str, Any]:
        if self.is_active:
            return {"state": {"life_cycle_state": "RUNNING"}, "status": {"state": "RUNNING"}}
        details = {"code": self.code or _CODES[self.result]}
        return {
            "state": {
                "life_cycle_state": "TERMINATED",
                "result_state": self.result,
                "state_message": f"ended as {self.result}",
            },
            "status": {"state": "TERMINATED", "termination_details": details},
        }

    def repair_history(self) -> list[dict[str, Any]]:
        repairs = [
            {"type": "REPAIR", "id": 100 + n, "task_run_ids": [self.run_id * 10 + n + 1]}
            for n in range(self.repairs)
        ]
        return [{"type": "ORIGINAL"}, *repairs]

    def to_json(self) -> dict[str, Any]:
        task = {"task_key": "load", "run_id": self.run_id * 10 + self.repairs, "start_time": 1}
        return {
            "run_id": self.run_id,
            "job_id": self.job_id,
            "run_page_url": f"http://workspace/run/{self.run_id}",
            "end_time": 0 if self.is_active else self.end_time,
            "job_parameters": [
                {"name": name, "default": "", "value": value}
                for name, value in self.parameters.items()
            ],
            "tasks": [{**task, **self.state(), "run_page_url": "http://workspace/task/load"}],
            **self.state(),
        }


class RefusedError(Exception):
    """An answer in Databricks' error shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": code, "message": message}


@dataclass
class FakeDatabricks:
    """What the server answers from, and what it was asked."""

    port: int = 0
    now: int = 1_000
    runs: dict[int, FakeRun] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers_lost: list[tuple[str, int]] = field(default_factory=list)

    def add_run(self, *results: str, **details: Any) -> FakeRun:
        run_id = 1_001 + len(self.runs)
        run = FakeRun(run_id, 7, list(results), details.pop("parameters", {}), **details)
        self.runs[run_id] = run
        return run

    def bodies(self, call: str) -> list[dict[str, Any]]:
        return [body for name, body in self.requests if name == call]

    def answer(self, call: str, query: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, f"_{call.replace('/', '_').replace('-', '_')}")(query)

    def _run(self, query: dict[str, Any]) -> FakeRun:
        if (run := self.runs.get(int(query["run_id"]))) is None:
            message = f"Run {query['run_id']} does not exist."
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", message)
        return run

    def _jobs_run_now(self, query: dict[str, Any]) -> dict[str, Any]:
        run = self.add_run("SUCCESS", parameters=query.get("job_parameters", {}))
        return {"run_id": run.run_id}

    def _jobs_runs_get(self, query: dict[str, Any]) -> dict[str, Any]:
        run = self._run(query)
        answer = run.to_json()
        if "include_history" in query:
            answer["repair_history"] = run.repair_history()
        run.polls_until_end = max(0, run.polls_until_end - 1)
        return answer

    def _jobs_runs_list(self, query: dict[str, Any]) -> dict[str, Any]:
        runs = [run.to_json() for run in self.runs.values() if run.job_id == int(query["job_id"])]
        start = int(query.get("page_token", 0))
        page = {"runs": runs[::-1][start : start + 2]}
        return page | ({"next_page_token": str(start + 2)} if len(runs) > start + 2 else {})

    def _jobs_runs_get_output(self, _query: dict[str, Any]) -> dict[str, Any]:
        return {"error": "ValueError: boom"}

    def _jobs_runs_cancel(self, query: dict[str, Any]) -> dict[str, Any]:
        run = self._run(query)
        run.results[run.repairs] = "CANCELED"
        return {}

    def _jobs_runs_repair(self, query: dict[str, Any]) -> dict[str, Any]:
        run = self._run(query)
        if run.is_active:
            raise RefusedError(400, "INVALID_STATE", f"Run {run.run_id} is active.")
        if query.get("latest_repair_id") != run.repair_history()[-1].get("id"):
            message = "The latest repair ID needs to be provided in order to create a new repair"
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", message)
        run.repairs += 1
        run.polls_until_end, run.end_time = 2, self.now
        return {"repair_id": run.repair_history()[-1]["id"]}


@contextmanager
def serve() -> Iterator[FakeDatabricks]:
    """Run a server on a free port of the loopback interface."""
    fake = FakeDatabricks()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    fake.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


def _handler(fake: FakeDatabricks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            call = parts.path.removeprefix("/api/2.2/")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = {**dict(parse_qsl(parts.query)), **(json.loads(body) if body else {})}
            fake.requests.append((call, query))
            try:
                self._send(*self._outcome(call, query))
            except RefusedError as refused:
                self._send(refused.status, refused.body)

        def _outcome(self, call: str, query: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            """The call takes effect also where its answer is lost."""
            answer = fake.answer(call, query)
            if fake.answers_lost and fake.answers_lost[0][0] == call:
                status = fake.answers_lost.pop(0)[1]
                return status, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "try again"}
            return 200, answer

        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the tests' output clean."""

    return Handler
