"""The operator that repairs a failed Databricks job run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.operators.databricks import (
    DEFER_METHOD_NAME,
    XCOM_RUN_ID_KEY,
    XCOM_RUN_PAGE_URL_KEY,
    DatabricksJobRunLink,
)
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger
from airflow.providers.databricks.utils.databricks import validate_trigger_event
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, TaskDeferralTimeout

from databricks_repair.account import RepairAccount
from databricks_repair.hook import RepairHook
from databricks_repair.link import XCOM_REPAIR_PAGE_URL_KEY, DatabricksRepairLink
from databricks_repair.run import HEALABLE, FailureKind, JobRun
from databricks_repair.trigger import KeepRunningTrigger

XCOM_REPAIR_ID_KEY = "repair_id"


class DatabricksRepairRunOperator(BaseOperator):
    """
    Repair a Databricks job run until it has succeeded: only its failed tasks and what follows them.

    Meant as the task behind a :class:`DatabricksRunNowOperator`, with ``trigger_rule="all_failed"``.
    It first looks at what became of the run. A run that is still active is waited for, whoever
    started or repaired it; a run that has succeeded meanwhile ends the task well. A run that was
    cancelled, never started or has an invalid definition fails it at once; clearing the task then
    repairs the run all the same.

    All that it needs to go on is read from Databricks (state, repair history), so that worker,
    triggerer and scheduler may die at any point: no repair is started twice.

    .. seealso::
        https://docs.databricks.com/api/workspace/jobs/repairrun

    :param run_id: The job run to repair, usually from XCom. Empty or ``None`` if it is not known,
        because the worker died between the request and its answer. (templated)
    :param job_id: The job whose recent runs are searched when ``run_id`` is not known. (templated)
    :param run_parameters: The job parameters by which that run is recognised, for example
        ``{"airflow_run_id": "{{ run_id }}"}``. (templated)
    :param rerun_tasks: Keys of the tasks to run again. ``None`` means all that failed. (templated)
    :param job_parameters: New values for job parameters. All others keep the run's values, which
        a repair would otherwise replace by the job's defaults. (templated)
    :param max_repairs: How many repairs to wait for, counted anew each time a person clears the task.
    :param repair_delay: Wait before the second repair, counted from the end of the run. It doubles
        with each further one.
    :param repair_on: Why tasks may have failed for a repair to be tried: kinds of failure, read from
        the termination details of the run and its tasks. (templated, so that the UI shows it)
    :param recent_runs: How many of the job's runs to search when ``run_id`` is not known.
    :param databricks_conn_id: Reference to the :ref:`Databricks connection
        <howto/connection:databricks>`. (templated)
    :param polling_period_seconds: How often to poll for the result of the run.
    :param databricks_retry_limit: How often to try a request when Databricks cannot be reached or
        answers 429 or 5xx.
    :param databricks_retry_delay: Minimum wait in seconds between these attempts; it doubles.
    :param databricks_retry_args: Arguments for ``tenacity.Retrying``.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param cancel_on_kill: Cancel the run when the Airflow task is ended by a person or times out.
    """

    template_fields: Sequence[str] = (
        "run_id",
        "job_id",
        "run_parameters",
        "rerun_tasks",
        "job_parameters",
        "repair_on",
        "databricks_conn_id",
    )
    # Databricks brand color (blue) under white text
    ui_color = "#1CB1C2"
    ui_fgcolor = "#fff"
    operator_extra_links = (DatabricksJobRunLink(), DatabricksRepairLink())

    def __init__(
        self,
        *,
        run_id: int | str | None = None,
        job_id: int | str | None = None,
        run_parameters: dict[str, str] | None = None,
        rerun_tasks: list[str] | None = None,
        job_parameters: dict[str, str] | None = None,
        max_repairs: int = 2,
        repair_delay: timedelta = timedelta(seconds=30),
        repair_on: Sequence[FailureKind | str] = HEALABLE,
        recent_runs: int = 100,
        databricks_conn_id: str = "databricks_default",
        polling_period_seconds: int = 30,
        databricks_retry_limit: int = 3,
        databricks_retry_delay: int = 1,
        databricks_retry_args: dict[Any, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.job_id = job_id
        self.run_parameters = run_parameters
        self.rerun_tasks = rerun_tasks
        self.job_parameters = job_parameters
        self.max_repairs = max_repairs
        self.repair_delay = repair_delay
        self.repair_on = repair_on
        self.recent_runs = recent_runs
        self.databricks_conn_id = databricks_conn_id
        self.polling_period_seconds = polling_period_seconds
        self.databricks_retry_limit = databricks_retry_limit
        self.databricks_retry_delay = databricks_retry_delay
        self.databricks_retry_args = databricks_retry_args
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self._job_run_id: int | None = None
        self._check_repair_on()

    def _check_repair_on(self) -> None:
        known = [kind.value for kind in FailureKind]
        if unknown := [kind for kind in self.repair_on if kind not in known]:
            raise ValueError(f"repair_on has {unknown}, which are none of {known}.")

    @cached_property
    def _hook(self) -> RepairHook:
        return RepairHook(
            self.databricks_conn_id,
            retry_limit=self.databricks_retry_limit,
            retry_delay=self.databricks_retry_delay,
            retry_args=self.databricks_retry_args,
            caller="DatabricksRepairRunOperator",
        )

    def execute(self, context: Context) -> None:
        self._follow(self._known_run_id() or self._find_run_id(), context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Go on after the run has ended."""
        validate_trigger_event(event)
        self._follow(event["run_id"], context)

    def execute_after_delay(self, context: Context, event: Any, job_run_id: int) -> None:
        """Go on after the wait between two repairs."""
        self._follow(job_run_id, context)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            self._job_run_id = self._known_run_id() or self._find_run_id()
            self.on_kill()
            raise

    def on_kill(self) -> None:
        if self._job_run_id is not None and self.cancel_on_kill:
            self._hook.cancel_run(self._job_run_id)
            self.log.info("Cancelled Databricks run %s.", self._job_run_id)

    def _known_run_id(self) -> int | None:
        # A template renders an XCom that is not there as the text "None".
        return None if self.run_id in (None, "", "None") else int(self.run_id)

    def _find_run_id(self) -> int:
        if not (self.job_id and self.run_parameters):
            raise AirflowFailException(
                "The id of the run is not known, and without job_id and run_parameters it cannot "
                "be searched. Clear the task that starts the run."
            )
        run_id = self._hook.find_run_id(self.job_id, self.run_parameters, self.recent_runs)
        if run_id is None:
            raise AirflowFailException(
                f"No run was ever created: none of the last {self.recent_runs} runs of job "
                f"{self.job_id} has the job parameters {self.run_parameters}. See why the task "
                "before failed, then clear that one."
            )
        self.log.info("Found run %s by its job parameters %s.", run_id, self.run_parameters)
        return run_id

    def _follow(self, job_run_id: int, context: Context) -> None:
        """Do what the run's state asks for, until it has succeeded or nothing more can help it."""
        self._job_run_id = job_run_id
        while True:
            run = self._get_job_run(job_run_id)
            self._push(run, context)
            if run.is_active:
                self._wait_for_end(run, context)
            elif run.state.is_successful:
                self.log.info("Databricks %s has succeeded.", run)
                return
            else:
                self._repair_or_fail(run, context)

    def _get_job_run(self, job_run_id: int) -> JobRun:
        try:
            return self._hook.get_job_run(job_run_id)
        except DatabricksApiError as error:
            if error.http_status_code in (400, 404):
                raise AirflowFailException(
                    f"Databricks run {job_run_id} cannot be read: {error} "
                    "If it was deleted, clear the task that starts the run."
                ) from error
            raise

    def _push(self, run: JobRun, context: Context) -> None:
        if not self.do_xcom_push:
            return
        ti = context["ti"]
        ti.xcom_push(key=XCOM_RUN_ID_KEY, value=run.run_id)
        ti.xcom_push(key=XCOM_RUN_PAGE_URL_KEY, value=run.page_url)
        if run.repair_ids:
            ti.xcom_push(key=XCOM_REPAIR_ID_KEY, value=run.repair_ids[-1])
            ti.xcom_push(key=XCOM_REPAIR_PAGE_URL_KEY, value=run.repair_page_url)

    def _wait_for_end(self, run: JobRun, context: Context) -> None:
        self.log.info("Waiting for Databricks %s.", run)
        if not self.deferrable:
            time.sleep(self.polling_period_seconds)
            return
        trigger = DatabricksExecutionTrigger if self.cancel_on_kill else KeepRunningTrigger
        self.defer(
            trigger=trigger(
                run_id=run.run_id,
                databricks_conn_id=self.databricks_conn_id,
                polling_period_seconds=self.polling_period_seconds,
                retry_limit=self.databricks_retry_limit,
                retry_delay=self.databricks_retry_delay,
                retry_args=self.databricks_retry_args,
                run_page_url=run.page_url,
                caller="DatabricksRepairRunOperator",
            ),
            method_name=DEFER_METHOD_NAME,
            timeout=self._time_left(context),
        )

    def _repair_or_fail(self, run: JobRun, context: Context) -> None:
        self._log_failures(run)
        account = RepairAccount.of_run(run, context["task_state_store"], context["ti"].max_tries)
        repairs_made = account.repairs_made(run)
        if repairs_made > 0 or not account.is_asked_for:
            self._check_can_heal(run)
        if repairs_made >= self.max_repairs:
            raise AirflowFailException(
                f"Gave up after {repairs_made} repairs: {run}. Clear this task to repair it again."
            )
        if due := self._next_repair_due(run, repairs_made):
            self._wait_until(due, run, context)
        else:
            self._repair(run)

    def _check_can_heal(self, run: JobRun) -> None:
        if hopeless := run.failure_kinds.difference(self.repair_on):
            raise AirflowFailException(
                f"Not repaired, because of {', '.join(sorted(hopeless))}: {run}. "
                "Clear this task to repair it all the same."
            )

    def _next_repair_due(self, run: JobRun, repairs_made: int) -> datetime | None:
        if repairs_made == 0 or run.end_time is None:
            return None
        due = run.end_time + self.repair_delay * 2 ** (repairs_made - 1)
        return due if due > datetime.now(UTC) else None

    def _wait_until(self, due: datetime, run: JobRun, context: Context) -> None:
        self.log.info("The next repair of run %s is due at %s.", run.run_id, due.isoformat())
        if not self.deferrable:
            time.sleep((due - datetime.now(UTC)).total_seconds())
            return
        self.defer(
            trigger=DateTimeTrigger(moment=due),
            method_name="execute_after_delay",
            kwargs={"job_run_id": run.run_id},
            timeout=self._time_left(context),
        )

    def _repair(self, run: JobRun) -> None:
        """Start a repair, unless somebody else has been faster."""
        try:
            repair_id = self._hook.repair_run(self._repair_request(run))
        except DatabricksApiError as error:
            now = self._get_job_run(run.run_id)
            if not now.is_active and now.repair_ids == run.repair_ids:
                raise AirflowFailException(
                    f"Databricks refuses to repair {run}: {error}"
                ) from error
            self.log.warning("Run %s is being repaired by somebody else: %s", run.run_id, error)
        else:
            self.log.info(
                "Repair %s of run %s has started: %s", repair_id, run.run_id, run.page_url
            )

    def _repair_request(self, run: JobRun) -> dict[str, Any]:
        selection: dict[str, Any] = (
            {"rerun_tasks": self.rerun_tasks}
            if self.rerun_tasks
            else {"rerun_all_failed_tasks": True}
        )
        request = {"run_id": run.run_id, "rerun_dependent_tasks": True, **selection}
        if run.repair_ids:
            request["latest_repair_id"] = run.repair_ids[-1]
        if parameters := {**run.job_parameters, **(self.job_parameters or {})}:
            request["job_parameters"] = parameters
        return request

    def _log_failures(self, run: JobRun) -> None:
        self.log.warning("Databricks %s did not succeed.", run)
        for task in run.failed_tasks:
            output = self._hook.get_run_output(task.run_id)
            self.log.warning(
                "Task %s failed (%s): %s %s",
                task.task_key,
                task.kind,
                output.get("error") or task.message,
                task.page_url,
            )

    def _time_left(self, context: Context) -> timedelta | None:
        # Airflow 3 itself does not apply execution_timeout to the time that a task is deferred.
        if self.execution_timeout is None:
            return None
        return self.execution_timeout - (datetime.now(UTC) - context["ti"].start_date)
