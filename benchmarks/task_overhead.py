"""CPU time of the workspace for one finished no-op task, against that of a process that only imports the same."""

from __future__ import annotations

import resource
import time

import psutil
from measuring import cold_start, create_job, line, notebook_task, post, wait_for, workspace

TASKS = 40


def main() -> None:
    before = _children_cpu()
    cold_start()
    cold = (_children_cpu() - before) * 1000
    with workspace() as (served, client):
        assert served.process is not None
        server = psutil.Process(served.process.pid)
        job_id = create_job(client, notebook_task("/Shared/nothing"))
        start = cpu_by_process(server)
        for _ in range(TASKS):
            run_id = int(post(client, "run-now", {"job_id": job_id})["run_id"])
            time.sleep(0.1)
            wait_for(client, run_id)
        spent = {
            name: (cpu - start[name]) * 1000 / TASKS for name, cpu in cpu_by_process(server).items()
        }
    for name, milliseconds in spent.items():
        line(f"  of that, {name}", milliseconds, None, "a cold process", cold)
    line("CPU of one no-op task, all included", sum(spent.values()), 40, "a cold process", cold)


def cpu_by_process(server: psutil.Process) -> dict[str, float]:
    """Seconds of the server, of the process that forks the tasks, and of the tasks that have ended."""
    forks = next(p for p in server.children() if "fork_server" in " ".join(p.cmdline()))
    engine = next(p for p in server.children() if "sail" in " ".join(p.cmdline()))
    own, forking, serving = server.cpu_times(), forks.cpu_times(), engine.cpu_times()
    return {
        "the server": own.user + own.system,
        "the fork server": forking.user + forking.system,
        "the tasks' processes": forking.children_user + forking.children_system,
        "the engine": serving.user + serving.system,
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
