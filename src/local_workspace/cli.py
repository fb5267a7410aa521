"""The command line: `local-workspace serve | deploy | run | repair | sql | faults | reset | status | login`."""

from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local_workspace.errors import LocalWorkspaceError
from local_workspace.settings import DEFAULT_PORT, LOOPBACK, StateDir

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 only if the command did all it was asked for."""
    arguments = _parser().parse_args(argv)
    try:
        command: Command = arguments.command
        return command(arguments)
    except KeyboardInterrupt:
        return 130
    except LocalWorkspaceError as error:
        return _fail(str(error))
    except TimeoutError as error:
        return _fail(f"The local workspace does not answer any more: {error}")
    except _refusal() as error:
        return _fail(str(error))


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


def _refusal() -> type[Exception]:
    """What the SDK raises for an answer that is an error; looked up when it is needed, since the SDK loads slowly."""
    from databricks.sdk.errors.base import DatabricksError

    return DatabricksError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local-workspace", description="A local Databricks workspace."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the workspace in the foreground")
    default_port = os.environ.get("LOCAL_WORKSPACE_PORT", str(DEFAULT_PORT))
    serve.add_argument("--port", type=int, default=default_port, help="0 takes a free one")
    serve.add_argument(
        "--insecure-bind",
        type=_ipv4,
        default=LOOPBACK,
        metavar="ADDRESS",
        help="open the workspace to the network on this IPv4 address (0.0.0.0: on all), unencrypted",
    )
    serve.set_defaults(command=_serve)

    deploy = commands.add_parser("deploy", help="deploy the bundle of this folder")
    deploy.add_argument("--target", "-t", default=None)
    deploy.add_argument("--var", action="append", default=[], metavar="NAME=VALUE")
    deploy.add_argument(
        "--force-lock", action="store_true", help="take over the lock of a deployment that died"
    )
    deploy.add_argument("--json", action="store_true", help="print the job ids as JSON")
    deploy.set_defaults(command=_deploy)

    run = commands.add_parser("run", help="run a deployed job and wait for its end")
    run.add_argument("job", help="the job's key in the bundle, or its id")
    run.add_argument("--param", "-p", action="append", default=[], metavar="NAME=VALUE")
    run.set_defaults(command=_run)

    repair = commands.add_parser(
        "repair", help="run the failed tasks of a run again and wait for its end"
    )
    repair.add_argument("run_id", type=int)
    repair.set_defaults(command=_repair)

    sql = commands.add_parser("sql", help="run a statement on the SQL warehouse")
    sql.add_argument("statement")
    sql.add_argument("--json", action="store_true", help="print the rows as JSON")
    sql.set_defaults(command=_sql)

    faults = commands.add_parser("faults", help="make a task or an endpoint fail on purpose")
    faults.add_argument("action", choices=("add", "list", "clear"))
    faults.add_argument("--task", default="", help="task key")
    faults.add_argument(
        "--endpoint", default="", help="the beginning of a path, e.g. /api/2.2/jobs/run-now"
    )
    faults.add_argument("--times", type=int, default=1)
    faults.add_argument(
        "--status", type=int, default=0, help="HTTP status of an endpoint's answers"
    )
    faults.add_argument(
        "--error-code", default="", help="error code of such answers, e.g. ABORTED with status 409"
    )
    faults.add_argument("--delay", type=float, default=0.0, help="seconds")
    faults.add_argument(
        "--drop", action="store_true", help="carry the request out, then lose the answer"
    )
    faults.set_defaults(command=_faults)

    reset = commands.add_parser("reset", help="forget all state of the workspace")
    reset.set_defaults(command=_reset)
    status = commands.add_parser("status", help="where the workspace runs")
    status.set_defaults(command=_status)
    login = commands.add_parser("login", help="print a one-time link to the workspace's pages")
    login.set_defaults(command=_login)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from local_workspace.sdk_types import import_client_on_demand

    import_client_on_demand()
    from local_workspace.server import serve

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    serve(StateDir.default(), arguments.port, arguments.insecure_bind)
    return 0


def _deploy(arguments: argparse.Namespace) -> int:
    from local_workspace.bundle.deploy import deploy
    from local_workspace.client import connect

    progress: Callable[[str], None] = (lambda _: None) if arguments.json else print
    summary = deploy(
        Path.cwd(),
        arguments.target,
        _pairs(arguments.var),
        connect(StateDir.default()),
        progress,
        force_lock=arguments.force_lock,
    )
    print(json.dumps(summary.job_ids) if arguments.json else summary)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from local_workspace.bundle.deploy import deployed_job_ids
    from local_workspace.client import connect

    client = connect(StateDir.default())
    if arguments.job.isdecimal():
        job_id = int(arguments.job)
    else:
        job_ids = deployed_job_ids(Path.cwd(), None, client)
        if arguments.job not in job_ids:
            known = ", ".join(job_ids) or "none"
            raise LocalWorkspaceError(
                f"The bundle has deployed no job {arguments.job!r} (deployed: {known}); run `make deploy`."
            )
        job_id = job_ids[arguments.job]
    run = client.jobs.run_now(job_id, job_parameters=_pairs(arguments.param))
    return _wait(client, run.run_id)


def _repair(arguments: argparse.Namespace) -> int:
    from local_workspace.client import connect

    client = connect(StateDir.default())
    history = client.jobs.get_run(arguments.run_id, include_history=True).repair_history or []
    latest = history[-1].id if history else None
    client.jobs.repair_run(arguments.run_id, rerun_all_failed_tasks=True, latest_repair_id=latest)
    return _wait(client, arguments.run_id)


def _wait(client: Any, run_id: int) -> int:
    """Prints each task's end and the run's; 0 if the run succeeded."""
    from local_workspace.follow import follow

    state = follow(client, run_id, print).as_dict()["state"]
    result = state.get("result_state", state["life_cycle_state"])
    print(f"{result}: {state.get('state_message') or 'done'}")
    return 0 if result == "SUCCESS" else 1


def _sql(arguments: argparse.Namespace) -> int:
    from local_workspace.client import connect
    from local_workspace.statement import rows_of, table

    columns, rows = rows_of(connect(StateDir.default()), arguments.statement)
    if arguments.json:
        print(
            json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False)
        )
    else:
        print(table(columns, rows))
    return 0


def _faults(arguments: argparse.Namespace) -> int:
    from local_workspace.client import connect

    api = connect(StateDir.default()).api_client
    match arguments.action:
        case "add":
            body = {
                name: getattr(arguments, name)
                for name in ("task", "endpoint", "times", "status", "error_code", "drop")
            }
            api.do("POST", "/api/local/faults", body={**body, "delay_seconds": arguments.delay})
        case "clear":
            api.do("DELETE", "/api/local/faults")
    print(json.dumps(api.do("GET", "/api/local/faults")))
    return 0


def _reset(_: argparse.Namespace) -> int:
    from local_workspace.client import connect

    state = StateDir.default()
    try:
        connect(state)
    except LocalWorkspaceError:
        for path in state.owned():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        print(f"The workspace's state in {state.root} is gone.")
        return 0
    raise LocalWorkspaceError(f"The workspace on {state.root} runs; stop it before you reset it.")


def _status(_: argparse.Namespace) -> int:
    from local_workspace.client import connect

    status: Any = connect(StateDir.default()).api_client.do("GET", "/api/local/status")
    # The parameters of the Spark Connect URL are the token.
    print(json.dumps({**status, "spark_remote": status["spark_remote"].partition("/;")[0]}))
    return 0


def _login(_: argparse.Namespace) -> int:
    from local_workspace.client import connect

    client = connect(StateDir.default())
    answer: Any = client.api_client.do("POST", "/api/local/login-codes")
    print(f"{client.config.host}/login?code={answer['code']}")
    return 0


def _ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise LocalWorkspaceError(f"{text!r} is not of the form NAME=VALUE.")
    return dict(text.split("=", 1) for text in texts)


if __name__ == "__main__":
    sys.exit(main())
