"""From a task's settings to what its process is told: parameters by precedence, references resolved, paths local.

Precedence: https://docs.databricks.com/aws/en/jobs/parameters#job-parameter-pushdown.
"""

from __future__ import annotations

import json
from typing import Any

from local_workspace.models.references import Scope, TaskScope, resolve
from local_workspace.models.run import Execution, Misconfigured, Run, TaskRun
from local_workspace.settings import WORKSPACE_ID

_PARAMETER_FIELDS = {
    "notebook_task": "base_parameters",
    "sql_task": "parameters",
    "run_job_task": "job_parameters",
}


def effective_task(
    task: dict[str, Any], execution: Execution, parameters: dict[str, str]
) -> dict[str, Any]:
    """The task's settings with the run's parameters pushed down, references not yet resolved.

    Key-value parameters take job parameters over the legacy ones of the request over their own; lists are replaced
    by the legacy list of the request and get no job parameters.
    """
    request = execution.request
    task = dict(task)
    for kind, field in _PARAMETER_FIELDS.items():
        if task.get(kind):
            legacy = (
                request.get(
                    {"notebook_task": "notebook_params", "sql_task": "sql_params"}.get(kind, "")
                )
                or {}
            )
            own = task[kind].get(field) or {}
            task[kind] = {**task[kind], field: {**own, **legacy, **parameters}}
    if task.get("python_wheel_task"):
        task["python_wheel_task"] = _wheel_parameters(
            task["python_wheel_task"], request, parameters
        )
    if task.get("spark_python_task") and request.get("python_params"):
        task["spark_python_task"] = {
            **task["spark_python_task"],
            "parameters": request["python_params"],
        }
    return task


def _wheel_parameters(
    wheel: dict[str, Any], request: dict[str, Any], parameters: dict[str, str]
) -> dict[str, Any]:
    if request.get("python_params"):
        rest = {name: value for name, value in wheel.items() if name != "named_parameters"}
        return {**rest, "parameters": request["python_params"]}
    if wheel.get("parameters"):
        return wheel
    named = {
        **(wheel.get("named_parameters") or {}),
        **(request.get("python_named_params") or {}),
        **parameters,
    }
    return {**wheel, "named_parameters": named} if named else wheel


def scope_of_run(run: Run, execution: Execution, host: str) -> Scope:
    """What references can name in every task of a run; job parameters may hold references themselves."""
    bare = Scope(
        job_id=run.job_id,
        job_name=run.run_name,
        run_id=run.run_id,
        repair_count=execution.number,
        start_time=run.start_time,
        trigger=run.trigger,
        workspace_id=WORKSPACE_ID,
        workspace_url=host,
    )
    resolved = resolve(execution.job_parameters, bare)
    return Scope(**{**vars(bare), "parameters": resolved})


def scope_of_task(
    scope: Scope,
    task_run: TaskRun,
    upstream: dict[str, TaskRun],
    attempts: dict[str, int],
    values: dict[str, dict[str, Any]],
) -> Scope:
    """Adds the current task, those upstream of it, and the input of an iteration."""

    def task_scope(key: str, run: TaskRun) -> TaskScope:
        notebook = run.settings.get("notebook_task") or {}
        failed = run.outcome is not None and run.code not in ("SUCCESS", "SKIPPED")
        return TaskScope(
            name=key,
            run_id=run.run_id,
            execution_count=attempts.get(key, 1),
            notebook_path=notebook.get("notebook_path"),
            outcome=run.outcome,
            error_code=(run.code or "") if failed else "",
            values=values.get(key, {}),
            rows=run.output.get("rows"),
        )

    return Scope(
        **{
            **vars(scope),
            "task": task_scope(task_run.task_key, task_run),
            "tasks": {key: task_scope(key, run) for key, run in upstream.items()},
            **({"input": task_run.input} if task_run.is_iteration else {}),
        }
    )


def resolved_task(task: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """The settings with their references resolved; those of a loop's inner task are, in each of its iterations."""
    loop = task.get("for_each_task")
    if loop is None:
        return {
            name: resolve(value, scope, scalars_only=name == "condition_task")
            for name, value in task.items()
        }
    rest = {name: value for name, value in task.items() if name != "for_each_task"}
    inputs = resolve(loop["inputs"], scope)
    return {**resolve(rest, scope), "for_each_task": {**loop, "inputs": inputs}}


def inputs_of(text: str) -> list[Any]:
    """The elements of a for-each task's inputs; Misconfigured where they are not a JSON array."""
    try:
        inputs = json.loads(text)
    except ValueError:
        inputs = None
    if not isinstance(inputs, list):
        raise Misconfigured(f"The inputs are not a JSON array: {text[:200]}")
    return inputs
