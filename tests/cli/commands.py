"""The commands of the Databricks CLI that work against a local workspace, one line each.

`check.py` runs them with the real CLI and records what it sends; `test_recorded.py` sends that again without the CLI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One command, run in a copy of the folder `bundle`.

    `$name` in the command is a value that an earlier step of the scenario has kept.
    """

    command: str
    shows: tuple[str, ...] = ()
    """Texts that its output has, in any order."""
    exit: int = 0
    keep: Mapping[str, str] = field(default_factory=dict)
    """Names for values of its JSON output, each with its path there, such as `0.job_id`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that are written before it starts."""
    while_watching: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """For a command that does not end: what it shows, and the files written then; after the last it is ended."""
    at_once: int = 1
    """More than one: so many processes run it at the same time; who does not get the lock says so."""


SHOP = "/Workspace/Users/local@localhost/.bundle/shop/local"
INBOX = "dbfs:/Volumes/main/shop_sales/inbox"
WAREHOUSE = "10ca110ca1000001"
ONE_TASK = '{"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}'
VIEWERS = '{"access_control_list": [{"group_name": "users", "permission_level": "CAN_VIEW"}]}'
OWNED = (
    '{"access_control_list": [{"user_name": "local@localhost", "permission_level": "IS_OWNER"},'
    ' {"group_name": "users", "permission_level": "CAN_MANAGE_RUN"}]}'
)
LOCK = (
    '{"ID": "a9a95a2c-6f9c-4a4c-8d0a-000000000001", "AcquisitionTime": "2026-01-01T00:00:00Z",'
    ' "IsForced": false, "User": "ann"}'
)
CREATE_BOOKS = (
    f'{{"warehouse_id": "{WAREHOUSE}", "statement": "CREATE TABLE main.shop.books (title STRING)"}}'
)
CREATE_TURBINES = f'{{"warehouse_id": "{WAREHOUSE}", "catalog": "wind", "statement": "CREATE TABLE turbines (n INT)"}}'
CELLS = (
    '{"cells": [{"cell_type": "code", "source": ["print(1)"], "metadata": {}, "outputs": [],'
    ' "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)
PRICIER = "item,price\nbook,12\n"

SCENARIOS: Mapping[str, tuple[Step, ...]] = {
    "identity": (
        Step("current-user me", ('"userName": "local@localhost"',)),
        Step("auth describe", ("Authenticated with: pat",)),
        Step("api get /api/2.0/preview/scim/v2/Me", ('"active": true',)),
        Step('api post /api/2.0/workspace/mkdirs --json \'{"path": "/Shared/made"}\'', ("{}",)),
        Step("api get /api/2.0/none", ("no endpoint GET /api/2.0/none",), exit=1),
    ),
    "bundle": (
        Step("bundle validate", ("Validation OK!",)),
        Step("bundle plan", ("Plan: 10 to add, 0 to change",)),
        Step("bundle deploy", ("Files: 7 uploaded", "Resources: 10 created")),
        Step("bundle deploy", ("Files: 0 uploaded", "10 unchanged")),
        Step("bundle plan", ("0 to add, 0 to change, 0 to delete, 10 unchanged",)),
        Step("bundle summary", ("shop_greet", "/jobs/", "/explore/data/main/shop_sales")),
        Step(
            "bundle summary --output json",
            ('"url": "http://127.0.0.1:',),
            keep={"greet": "resources.jobs.greet.id", "fail": "resources.jobs.fail.id"},
        ),
        Step("bundle open greet", ("/jobs/$greet",)),
        Step("bundle run greet", ("Run URL: http", "TERMINATED SUCCESS", "hello")),
        Step("bundle run greet --params word=goodbye", ("TERMINATED SUCCESS", "goodbye")),
        Step("bundle run greet -- --word=again", ("TERMINATED SUCCESS", "again")),
        Step("bundle run fail", ("FAILED", "ValueError: the shop is closed"), exit=1),
        Step("bundle run wait --no-wait", ("Run URL: http",)),
        Step("bundle run wait --no-wait --restart", ("Run URL: http",)),
        Step("bundle deploy --fail-on-active-runs", ("is running",), exit=1),
        Step("bundle run nothing", ('resource with key "nothing" not found',), exit=1),
        Step(
            "bundle deploy",
            ("Files: 1 uploaded", "0 changed"),
            files={"prices/today.csv": PRICIER},
        ),
        Step("bundle sync --full"),
        Step(
            "bundle destroy --auto-approve", ("delete resources.jobs.greet", "Destroy: 6 deleted")
        ),
        Step("bundle destroy --auto-approve", ("No active deployment found to destroy!",)),
    ),
    "lock": (
        Step(f"workspace import-dir held {SHOP}/state", files={"held/deploy.lock": LOCK}),
        Step("bundle deploy", ("deploy lock acquired by ann", "Use --force-lock"), exit=1),
        Step("bundle deploy --force-lock", ("Resources: 10 created",)),
        Step("bundle deploy", at_once=2),
        Step("bundle destroy --auto-approve"),
    ),
    "binding": (
        Step(
            f'jobs create --json \'{{"name": "found", "tasks": [{ONE_TASK}]}}\'',
            keep={"found": "job_id"},
        ),
        Step("bundle deployment bind greet $found --auto-approve", ("Successfully bound job",)),
        Step("bundle deploy", ("Updated jobs.greet", "9 created, 1 changed")),
        Step("jobs get $found", ('"name": "shop_greet"',)),
        Step("bundle deployment unbind greet"),
        Step("bundle plan", ("create jobs.greet",)),
        Step("bundle destroy --auto-approve"),
        Step("jobs delete $found"),
    ),
    "jobs": (
        Step("bundle deploy"),
        Step(
            "bundle summary --output json",
            keep={
                name: f"resources.jobs.{name}.id" for name in ("greet", "fail", "wait", "packaged")
            },
        ),
        Step("jobs list", ("$greet  shop_greet",)),
        Step(
            "jobs list --name shop_greet --expand-tasks --limit 1 --output json",
            ('"task_key": "greet"',),
        ),
        Step("jobs get $greet", ('"name": "shop_greet"',)),
        Step("jobs get 1", ("Job 1 does not exist.",), exit=1),
        Step("jobs run-now $greet", ('"result_state": "SUCCESS"',), keep={"run": "tasks.0.run_id"}),
        Step("jobs get-run-output $run", ('"result": "hello"',)),
        Step("jobs run-now $fail", ("Task fail failed with message",), exit=1),
        Step(
            "jobs list-runs --job-id $fail --output json",
            ('"FAILED"',),
            keep={"failed": "0.run_id"},
        ),
        Step("jobs list-runs --job-id $fail --completed-only", ("$failed  FAILED",)),
        Step(
            "jobs get-run $failed --include-history",
            ('"repair_history"',),
            keep={"task": "tasks.0.run_id"},
        ),
        Step("jobs get-run-output $task", ("ValueError: the shop is closed",)),
        Step("jobs get-run-output $failed", ("multiple tasks is not supported",), exit=1),
        Step("jobs repair-run $failed --rerun-all-failed-tasks", ("Task fail failed",), exit=1),
        Step("jobs run-now $wait --no-wait", keep={"waiting": "run_id"}),
        Step("jobs cancel-run $waiting", ('"result_state": "CANCELED"',)),
        Step("jobs cancel-all-runs --job-id $wait"),
        Step("jobs delete-run $waiting"),
        Step("jobs get-run $waiting", ("Run $waiting does not exist.",), exit=1),
        Step(
            f'jobs submit --json \'{{"run_name": "once", "tasks": [{ONE_TASK}]}}\'',
            ('"run_name": "once"',),
        ),
        Step(f"permissions set jobs $greet --json '{OWNED}'", ("CAN_MANAGE_RUN",)),
        Step(f"permissions update jobs $greet --json '{VIEWERS}'", ("CAN_VIEW",)),
        Step("permissions get jobs $greet", ("IS_OWNER", "CAN_VIEW")),
        Step("permissions get-permission-levels jobs $greet", ("CAN_MANAGE_RUN",)),
        Step("permissions get jobs 1", ("Job 1 does not exist.",), exit=1),
        Step(
            'jobs update --json \'{"job_id": $packaged, "new_settings": {"description": "new"}}\''
        ),
        Step(
            f'jobs reset --json \'{{"job_id": $packaged, "new_settings": {{"name": "x", "tasks": [{ONE_TASK}]}}}}\''
        ),
        Step("jobs delete $packaged"),
        Step("jobs delete $packaged", ("does not exist",), exit=1),
        Step("bundle destroy --auto-approve"),
    ),
    "workspace": (
        Step("workspace mkdirs /Shared/w"),
        Step("workspace import /Shared/w/greet --file notebooks/greet.py --language PYTHON"),
        Step(
            "workspace import /Shared/w/greet --file notebooks/greet.py --language PYTHON",
            ("RESOURCE_ALREADY_EXISTS",),
            exit=1,
        ),
        Step(
            "workspace import /Shared/w/greet --file notebooks/greet.py --language PYTHON --overwrite"
        ),
        Step("workspace import /Shared/w/wheel.txt --file wheel.txt --format AUTO"),
        Step("workspace list /Shared/w", ("NOTEBOOK", "PYTHON", "/Shared/w/wheel.txt")),
        Step("workspace list /Shared/none", ("doesn't exist",), exit=1),
        Step("workspace get-status /Shared/w/greet", ('"language": "PYTHON"',)),
        Step("workspace export /Shared/w/greet", ("# Databricks notebook source",)),
        Step(
            "workspace import /Shared/w/cells --file cells.ipynb --format JUPYTER",
            files={"cells.ipynb": CELLS},
        ),
        Step("workspace export /Shared/w/cells", ("# Databricks notebook source", "print(1)")),
        Step("workspace export /Shared/w/greet --format JUPYTER", ('"nbformat": 4',)),
        Step("workspace export /Shared/w/greet --format DBC", ("has no format DBC",), exit=1),
        Step("workspace export /Shared/w/wheel.txt --file copy.txt"),
        Step("workspace import-dir prices /Shared/w/prices", ("today.csv -> /Shared/w/prices",)),
        Step("workspace import-dir prices /Shared/w/prices", ("skipped; already exists",)),
        Step("workspace import-dir prices /Shared/w/prices --overwrite", ("Import complete",)),
        Step("workspace export-dir /Shared/w out", ("-> out/greet.py", "Export complete")),
        Step("workspace delete /Shared/w", ("is not empty",), exit=1),
        Step("workspace delete /Shared/w --recursive"),
        Step("workspace delete /Shared/w", ("doesn't exist",), exit=1),
    ),
    "sync": (
        Step("sync . /Shared/s --full", ("Uploaded prices/today.csv", "Initial Sync Complete")),
        Step("sync . /Shared/s", ("PUT: prices/today.csv",), files={"prices/today.csv": PRICIER}),
        Step("sync . /Shared/s --exclude prices/*", ("Deleted prices/today.csv",)),
        Step(
            "sync . /Shared/s --watch",
            while_watching=(
                ("Initial Sync Complete", {"new.txt": "new"}),
                ("Uploaded new.txt", {}),
            ),
        ),
        Step("workspace delete /Shared/s --recursive"),
    ),
    "catalog": (
        Step("catalogs list", ("main",)),
        Step("catalogs get main", ('"name": "main"',)),
        Step("catalogs get none", ("Catalog 'none' does not exist.",), exit=1),
        Step("catalogs create wind --comment turbines", ('"name": "wind"',)),
        Step("catalogs create wind", ("already exists",), exit=1),
        Step("catalogs list", ("wind",)),
        Step("catalogs update wind --comment new", ('"comment": "new"',)),
        Step("schemas list wind", ("wind.default",)),
        Step("volumes create wind default photos MANAGED", ('"name": "photos"',)),
        Step("fs cp wheel.txt dbfs:/Volumes/wind/default/photos/"),
        Step("fs ls dbfs:/Volumes/wind/default/photos", ("wheel.txt",)),
        Step(
            f"api post /api/2.0/sql/statements --json '{CREATE_TURBINES}'",
            ('"state": "SUCCEEDED"',),
        ),
        Step("tables list wind default", ("wind.default.turbines",)),
        Step("tables list-summaries wind --table-name-pattern turb%", ("wind.default.turbines",)),
        Step("catalogs delete wind", ("is not empty",), exit=1),
        Step("catalogs delete wind --force"),
        Step("catalogs get wind", ("Catalog 'wind' does not exist.",), exit=1),
        Step("schemas create shop main --comment first", ('"full_name": "main.shop"',)),
        Step("schemas create shop main", ("already exists",), exit=1),
        Step("schemas list main", ("main.shop",)),
        Step("schemas get main.shop", ('"comment": "first"',)),
        Step("schemas update main.shop --comment second", ('"comment": "second"',)),
        Step("volumes create main shop inbox MANAGED", ('"full_name": "main.shop.inbox"',)),
        Step("volumes list main shop", ('"name": "inbox"',)),
        Step("volumes read main.shop.inbox", ('"volume_type": "MANAGED"',)),
        Step("volumes update main.shop.inbox --comment new", ('"comment": "new"',)),
        Step("schemas delete main.shop", ("is not empty",), exit=1),
        Step("volumes delete main.shop.inbox"),
        Step("volumes read main.shop.inbox", ("does not exist",), exit=1),
        Step(
            f"api post /api/2.0/sql/statements --json '{CREATE_BOOKS}'", ('"state": "SUCCEEDED"',)
        ),
        Step("tables list main shop", ("main.shop.books",)),
        Step("tables get main.shop.books", ('"name": "title"',)),
        Step("tables exists main.shop.books", ('"table_exists": true',)),
        Step("tables delete main.shop.books"),
        Step("tables delete main.shop.books", ("does not exist",), exit=1),
        Step(
            'grants update schema main.shop --json \'{"changes": [{"principal": "users", "add": ["SELECT"]}]}\'',
            ("SELECT",),
        ),
        Step("grants get schema main.shop", ("SELECT",)),
        Step("schemas delete main.shop"),
        Step("schemas delete main.shop", ("does not exist",), exit=1),
    ),
    "volumes": (
        Step("schemas create shop_sales main"),
        Step("volumes create main shop_sales inbox MANAGED"),
        Step(f"fs mkdir {INBOX}/a/b"),
        Step(f"fs cp wheel.txt {INBOX}/a/"),
        Step(f"fs cp wheel.txt {INBOX}/a/", ("skipped; already exists",)),
        Step(f"fs cp wheel.txt {INBOX}/a/ --overwrite"),
        Step(f"fs cp wheel.txt {INBOX}x/wheel.txt", ("no such directory",), exit=1),
        Step(f"fs ls {INBOX}/a", ("wheel.txt",)),
        Step(f"fs ls --long --absolute {INBOX}/a", (f"{INBOX}/a/wheel.txt",)),
        Step(f"fs ls {INBOX}/none", ("no such directory",), exit=1),
        Step(f"fs cat {INBOX}/a/wheel.txt", ("no task imports it",)),
        Step(f"fs cat {INBOX}/a", ("not a file",), exit=1),
        Step(f"fs cp --recursive prices {INBOX}/prices"),
        Step(f"fs cp --recursive prices {INBOX}/prices --overwrite"),
        Step(f"fs cp --recursive {INBOX}/prices back", ("back/today.csv",)),
        Step(f"fs rm {INBOX}/a", ("directory not empty",), exit=1),
        Step(f"fs rm {INBOX}/a/wheel.txt"),
        Step(f"fs rm {INBOX}/a/wheel.txt", ("file does not exist",), exit=1),
        Step(f"fs rm --recursive {INBOX}/prices"),
        Step("schemas delete main.shop_sales --force"),
    ),
    "warehouses": (
        Step(f"warehouses start {WAREHOUSE}", ('"state": "RUNNING"',)),
        Step("warehouses list", ("Serverless Starter Warehouse", "RUNNING")),
        Step(f"warehouses get {WAREHOUSE}", ('"state": "RUNNING"',)),
        Step(f"warehouses stop {WAREHOUSE}", ('"state": "STOPPED"',)),
        Step(f"warehouses start {WAREHOUSE}", ('"state": "RUNNING"',)),
        Step("warehouses get none", ("does not exist",), exit=1),
    ),
    "secrets": (
        Step("secrets create-scope shop"),
        Step("secrets create-scope shop", ("already exists",), exit=1),
        Step("secrets put-secret shop key --string-value value"),
        Step(
            'secrets put-secret --json \'{"scope": "shop", "key": "bytes", "bytes_value": "AAE="}\''
        ),
        Step("secrets list-secrets shop", ("key", "bytes")),
        Step("secrets get-secret shop key", ('"value": "dmFsdWU="',)),
        Step("secrets list-scopes", ("shop",)),
        Step("secrets put-acl shop users READ"),
        Step("secrets get-acl shop users", ('"permission": "READ"',)),
        Step("secrets list-acls shop", ("local@localhost", "users")),
        Step("secrets delete-acl shop users"),
        Step("secrets get-acl shop users", ("no ACL for the principal users",), exit=1),
        Step("secrets delete-secret shop key"),
        Step("secrets get-secret shop key", ("does not exist",), exit=1),
        Step("secrets delete-scope shop"),
        Step("secrets delete-scope shop", ("does not exist",), exit=1),
    ),
}

OWN_BUNDLE = (
    Step("bundle validate", ("Validation OK!",)),
    Step("bundle deploy", ("Created jobs.ingest", "5 created")),
    Step("bundle deploy", ("Files: 0 uploaded", "5 unchanged")),
    Step("bundle run ingest", ("TERMINATED SUCCESS",)),
    Step("bundle run transform", ("TERMINATED SUCCESS",)),
    Step("bundle run ingest --params source_uri=/none", ("SourceUnreachable",), exit=1),
    Step("bundle destroy --auto-approve", ("Destroy: 5 deleted",)),
)
"""This repository's bundle; what it sends depends on the pipeline, so it is not recorded."""
