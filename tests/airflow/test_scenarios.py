"""What may happen to a DAG run, with a real scheduler, triggerer and DAG processor before a real workspace."""

from __future__ import annotations

import psutil
from support.airflow_bench import INGEST, TRANSFORM, Bench, SmallJob, kill_tree
from support.waiting import wait_until

from local_workspace.statement import rows_of

GREEN = {"run": "success", "repair": "skipped", "published": "success"}
REPAIRED = {"run": "failed", "repair": "success", "published": "success"}
LOST = {"run": "failed", "repair": "failed", "published": "upstream_failed"}

RUN_NOW = "/api/2.2/jobs/run-now"
GET_RUN = "/api/2.2/jobs/runs/get"
REPAIR = "/api/2.2/jobs/runs/repair"


def did_everything_once(job: SmallJob) -> bool:
    return job.rows() == ["first", "second"] and len(job.runs()) == 1


def test_both_dags_run_the_bundle_through_the_asset(bench: Bench) -> None:
    bench.assign(bench.deploy())
    bench.set_paused(TRANSFORM, False)
    ingest = bench.trigger_dag(INGEST)
    assert ingest.end() == GREEN
    transform = bench.asset_triggered_run(TRANSFORM)
    assert transform.end() == GREEN
    bench.set_paused(TRANSFORM, True)

    bronze, gold = bench.event_extra(INGEST), bench.event_extra(TRANSFORM)
    (rows,) = rows_of(
        bench.client, "SELECT count(*) FROM main.renewables.bronze_share_electricity"
    )[1]
    assert bronze["run_page_url"].endswith(f"/run/{bronze['run_id']}")
    assert (bronze["files"], str(bronze["rows"])) == (3, rows[0])
    assert gold["ingest_run_id"] == str(bronze["run_id"])
    run = bench.client.jobs.get_run(gold["run_id"])
    assert {p.name: p.value for p in run.job_parameters or []}["ingest_run_id"] == str(
        bronze["run_id"]
    )
    (gold_rows,) = rows_of(
        bench.client,
        "SELECT count(*), count(DISTINCT entity, year) FROM main.renewables.gold_shw_share",
    )[1]
    assert gold_rows[0] == gold_rows[1] != "0"


def test_green(bench: Bench) -> None:
    job = bench.job()
    dag_run = bench.trigger(job)
    assert dag_run.end() == GREEN
    assert did_everything_once(job)
    assert job.repairs() == 0


def test_a_task_that_fails_once_runs_again_alone(bench: Bench) -> None:
    job = bench.job()
    bench.fault(task="second")
    dag_run = bench.trigger(job)
    assert dag_run.end() == REPAIRED
    assert did_everything_once(job)
    assert job.repairs() == 1
    run_page = dag_run.link("repair", "See Databricks Job Run")
    assert run_page.endswith(f"/run/{job.run_id}")
    assert dag_run.link("repair", "See Databricks Repair") not in ("", run_page)


def test_a_task_that_fails_twice(bench: Bench) -> None:
    job = bench.job()
    bench.fault(task="second", times=2)
    assert bench.trigger(job).end() == REPAIRED
    assert did_everything_once(job)
    assert job.repairs() == 2


def test_a_task_that_fails_for_good_until_a_person_clears_repair(bench: Bench) -> None:
    job = bench.job()
    bench.fault(task="second", times=3)
    dag_run = bench.trigger(job)
    assert dag_run.end() == LOST
    assert job.repairs() == 2
    failed = f"DAG run {dag_run.run_id} of {INGEST} failed: task_failure"
    wait_until(lambda: failed in bench.callback_log(), "the alert")
    assert "Gave up after 2 repairs" in dag_run.log("repair")
    assert "Task second failed (user_code): InjectedFault" in dag_run.log("repair")
    assert job.rows() == ["first"]

    dag_run.clear("repair")
    wait_until(lambda: job.repairs() == 3, "a third repair")
    assert dag_run.end() == REPAIRED
    assert did_everything_once(job)


def test_a_cleared_run_now_starts_a_new_run(bench: Bench) -> None:
    job = bench.job()
    dag_run = bench.trigger(job)
    assert dag_run.end() == GREEN
    dag_run.clear("run")
    wait_until(lambda: len(job.runs()) == 2, "a second run")
    assert dag_run.end() == GREEN
    assert job.rows() == ["first", "first", "second", "second"]


def test_a_run_cancelled_in_the_workspace_is_not_repaired(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    bench.client.jobs.cancel_run(job.run_id)
    assert dag_run.end() == LOST
    assert (len(job.runs()), job.repairs(), job.rows()) == (1, 0, [])
    assert "Not repaired, because of cancelled" in dag_run.log("repair")


def test_a_run_now_that_a_person_fails_cancels_the_run(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until_polled("run")
    dag_run.fail("run")
    assert dag_run.end() == LOST
    assert (job.result(), job.repairs()) == ("CANCELED", 0)


def test_run_now_is_refused_five_times_for_too_many_requests(bench: Bench) -> None:
    job = bench.job()
    bench.fault(endpoint=RUN_NOW, status=429, times=5)
    assert bench.trigger(job).end() == GREEN
    assert bench.faults() == []
    assert did_everything_once(job)


def test_an_answer_of_500_to_a_run_that_was_created(bench: Bench) -> None:
    job = bench.job()
    bench.fault(endpoint=RUN_NOW, status=500, drop=True)
    assert bench.trigger(job).end() == GREEN
    assert bench.faults() == []
    assert did_everything_once(job)


def test_a_run_whose_answers_are_all_lost_is_found_by_its_parameter(bench: Bench) -> None:
    job = bench.job()
    bench.fault(endpoint=RUN_NOW, drop=True, times=4)
    dag_run = bench.trigger(job)
    assert dag_run.end() == REPAIRED
    assert dag_run.tries("run") == 4
    assert f"Found run {job.run_id} by its job parameters" in dag_run.log("repair")
    assert did_everything_once(job)
    assert job.repairs() == 0


def test_a_connection_that_drops_while_polling(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    bench.fault(endpoint=GET_RUN, drop=True)
    dag_run.until(run="failed", repair="deferred")
    job.open_gate()
    assert dag_run.end() == REPAIRED
    assert did_everything_once(job)
    assert job.repairs() == 0


def test_a_token_that_expires_while_waiting_and_is_renewed(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    bench.fault(endpoint=GET_RUN, status=401)
    dag_run.until(run="failed", repair="deferred")
    job.open_gate()
    assert dag_run.end() == REPAIRED
    assert did_everything_once(job)
    assert job.repairs() == 0


def test_the_triggerer_is_killed_while_waiting(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    bench.kill("triggerer")
    job.open_gate()
    wait_until(lambda: job.result() == "SUCCESS", "the end of the run")
    assert dag_run.states()["run"] == "deferred"
    bench.airflow.start_component("triggerer")
    assert dag_run.end() == GREEN
    assert did_everything_once(job)


def test_the_worker_is_killed_between_run_now_and_its_deferral(bench: Bench) -> None:
    job = bench.job()
    bench.fault(endpoint=GET_RUN, delay_seconds=60)
    dag_run = bench.trigger(job)
    job.until_started()
    kill_tree(busy_worker(bench))
    assert dag_run.end() == GREEN
    assert dag_run.tries("run") == 2
    assert did_everything_once(job)


def busy_worker(bench: Bench) -> psutil.Process:
    """The process of the executor that runs a task, once those of earlier tests have ended theirs."""

    def busy() -> list[psutil.Process]:
        return [
            process
            for process in bench.processes_of("scheduler")
            if "LocalExecutor" in " ".join(process.cmdline()) and process.children()
        ]

    (worker,) = wait_until(lambda: len(found := busy()) == 1 and found, "a single busy worker")
    return worker


def test_the_scheduler_is_killed_while_waiting(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    bench.kill("scheduler")
    job.open_gate()
    bench.airflow.start_component("scheduler")
    assert dag_run.end() == GREEN
    assert did_everything_once(job)


def test_the_workspace_is_killed_and_restarted_in_the_middle_of_a_run(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    bench.restart_workspace()
    job.open_gate()
    assert dag_run.end() == REPAIRED
    assert did_everything_once(job)
    assert job.repairs() == 1


def test_a_repair_from_outside_is_faster(bench: Bench) -> None:
    job = bench.job()
    bench.fault(task="second")
    bench.fault(endpoint=REPAIR, delay_seconds=5)
    dag_run = bench.trigger(job)
    wait_until(lambda: bench.faults() == [], "the operator's request, which is held up")
    bench.client.jobs.repair_run(job.run_id, rerun_all_failed_tasks=True)
    assert dag_run.end() == REPAIRED
    assert "is being repaired by somebody else" in dag_run.log("repair")
    assert did_everything_once(job)
    assert job.repairs() == 1


def test_a_run_that_is_queued_behind_another(bench: Bench) -> None:
    job = bench.job(is_open=False, max_concurrent_runs=1, queue={"enabled": True})
    bench.client.jobs.run_now(job.job_id)
    dag_run = bench.trigger(job)
    dag_run.until(run="deferred")
    states = [
        run.state.life_cycle_state.value
        for run in job.runs()
        if run.state and run.state.life_cycle_state
    ]
    assert states == ["QUEUED", "RUNNING"]
    job.open_gate()
    assert dag_run.end() == GREEN
    assert job.rows() == ["first", "first", "second", "second"]


def test_a_run_that_is_skipped_because_another_is_active(bench: Bench) -> None:
    job = bench.job(is_open=False, max_concurrent_runs=1, queue={"enabled": False})
    bench.client.jobs.run_now(job.job_id)
    dag_run = bench.trigger(job)
    assert dag_run.end() == LOST
    assert "Not repaired, because of not_started" in dag_run.log("repair")
    assert len(job.runs()) == 2
    job.open_gate()
    wait_until(lambda: job.rows() == ["first", "second"], "the other run's end")


def test_a_job_id_that_the_variable_does_not_name(bench: Bench) -> None:
    dag_run = bench.trigger(None)
    assert dag_run.end() == LOST
    assert (dag_run.tries("run"), dag_run.tries("repair")) == (1, 1)
    assert "has no attribute 'ingest'" in dag_run.log("run")


def test_a_job_that_was_deleted(bench: Bench) -> None:
    job = bench.job()
    bench.client.jobs.delete(job.job_id)
    dag_run = bench.trigger(job)
    assert dag_run.end() == LOST
    assert (dag_run.tries("run"), dag_run.tries("repair")) == (1, 1)
    assert f"Job {job.job_id} does not exist" in dag_run.log("run")
    assert "No run was ever created" in dag_run.log("repair")


def test_a_connection_that_is_missing(bench: Bench) -> None:
    job = bench.job()
    bench.disconnect()
    dag_run = bench.trigger(job)
    assert dag_run.end() == LOST
    bench.connect()
    assert (dag_run.tries("run"), dag_run.tries("repair")) == (1, 1)
    assert "The conn_id `databricks_default` isn't defined" in dag_run.log("run")
    assert job.runs() == []


def test_the_jobs_own_timeout(bench: Bench) -> None:
    job = bench.job(is_open=False, timeout_seconds=1)
    dag_run = bench.trigger(job)
    assert dag_run.end() == LOST
    assert (job.result(), len(job.runs()), job.repairs()) == ("TIMEDOUT", 1, 2)


def test_the_time_of_the_repair_task_is_up(bench: Bench) -> None:
    job = bench.job(is_open=False)
    dag_run = bench.trigger(job, dag_id="impatient")
    dag_run.until(run="deferred")
    bench.fault(endpoint=GET_RUN, status=401)
    assert dag_run.end() == {"run": "failed", "repair": "failed"}
    assert (job.result(), len(job.runs()), job.repairs()) == ("CANCELED", 1, 0)
