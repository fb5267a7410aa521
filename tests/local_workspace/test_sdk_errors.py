"""Each exception class of the SDK, raised by what raises it on Databricks, or by a fault that is set on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.clock import Clock
from databricks.sdk.config import Config
from databricks.sdk.errors import platform
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.jobs import NotebookTask, Task
from expect import refused
from scripted import ScriptedWorkspace

JOBS_LIST = "/api/2.2/jobs/list"
DELTA_COMMITS = "/api/2.1/unity-catalog/delta/preview/commits"
MESSAGE = "Fault injected by the local workspace."


class FastClock(Clock):
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[int] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(int(seconds))
        self.now += seconds


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def client(scripted: ScriptedWorkspace, clock: FastClock) -> WorkspaceClient:
    return connected(scripted, clock, scripted.workspace.token)


def connected(scripted: ScriptedWorkspace, clock: FastClock, token: str) -> WorkspaceClient:
    config = Config(
        host=scripted.client.config.host,
        token=token,
        auth_type="pat",
        clock=clock,
        retry_timeout_seconds=5,
    )
    return WorkspaceClient(config=config)


def add_fault(client: WorkspaceClient, **fault: Any) -> None:
    body = {"endpoint": JOBS_LIST, **fault}
    client.api_client.do("POST", "/api/local/faults", body=body)


def list_jobs(client: WorkspaceClient) -> list[Any]:
    return list(client.jobs.list())


REFUSALS: list[tuple[type[Exception], str, str, Callable[[WorkspaceClient], Any]]] = [
    (
        errors.NotFound,
        "ENDPOINT_NOT_FOUND",
        "The local workspace has no endpoint GET /api/2.0/pipelines.",
        lambda client: list(client.pipelines.list_pipelines()),
    ),
    (
        errors.ResourceDoesNotExist,
        "RESOURCE_DOES_NOT_EXIST",
        "Schema 'main.absent' does not exist.",
        lambda client: client.schemas.get("main.absent"),
    ),
    (
        errors.BadRequest,
        "MALFORMED_REQUEST",
        "Could not parse request object: Expected string for field 'name', found OBJECT",
        lambda client: client.api_client.do("POST", "/api/2.2/jobs/create", body={"name": {}}),
    ),
    (
        errors.BadRequest,
        "FEATURE_DISABLED",
        "The local workspace has no grants on 'metastore', only on catalog, schema, table, volume.",
        lambda client: client.grants.get("metastore", "main"),
    ),
    (
        errors.InvalidParameterValue,
        "INVALID_PARAMETER_VALUE",
        "Missing required field: catalog_name",
        lambda client: client.schemas.create("s", ""),
    ),
    (
        errors.InvalidState,
        "INVALID_STATE",
        "Schema 'main.full' is not empty. The schema has 0 tables(s), 0 functions(s), 1 volumes(s)",
        lambda client: _delete_a_full_schema(client),
    ),
    (
        errors.ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        "Schema 'main.default' already exists.",
        lambda client: client.schemas.create("default", "main"),
    ),
    (
        errors.ResourceConflict,
        "RESOURCE_CONFLICT",
        "/Volumes/main/default/v/a/b cannot be created: a part of its path is a file.",
        lambda client: _make_a_directory_below_a_file(client),
    ),
]


def _delete_a_full_schema(client: WorkspaceClient) -> None:
    client.schemas.create("full", "main")
    client.volumes.create("main", "full", "v", VolumeType.MANAGED)
    client.schemas.delete("main.full")


def _make_a_directory_below_a_file(client: WorkspaceClient) -> None:
    client.volumes.create("main", "default", "v", VolumeType.MANAGED)
    client.api_client.do("PUT", "/api/2.0/fs/files/Volumes/main/default/v/a", data=b"")
    client.files.create_directory("/Volumes/main/default/v/a/b")


@pytest.mark.parametrize(("kind", "code", "message", "call"), REFUSALS)
def test_a_refusal_is_the_sdks_exception(
    client: WorkspaceClient,
    kind: type[errors.DatabricksError],
    code: str,
    message: str,
    call: Callable[[WorkspaceClient], Any],
) -> None:
    refused(kind, code, message, lambda: call(client))


def test_a_wrong_token_is_unauthenticated(scripted: ScriptedWorkspace, clock: FastClock) -> None:
    with pytest.raises(errors.Unauthenticated, match="Credential was not sent"):
        list_jobs(connected(scripted, clock, "dapi-wrong"))


def test_another_host_is_denied(client: WorkspaceClient) -> None:
    headers = {"Host": "evil.example"}
    with pytest.raises(errors.PermissionDenied, match="not this machine"):
        client.api_client.do("GET", JOBS_LIST, headers=headers)


@pytest.mark.parametrize(
    ("status", "error_code", "kind"),
    [
        *((status, "", kind) for status, kind in sorted(platform.STATUS_CODE_MAPPING.items())),
        (409, "ABORTED", errors.Aborted),
        (409, "ALREADY_EXISTS", errors.AlreadyExists),
        (500, "UNKNOWN", errors.Unknown),
        (500, "DATA_LOSS", errors.DataLoss),
        (429, "RESOURCE_EXHAUSTED", errors.ResourceExhausted),
        (429, "", errors.RequestLimitExceeded),
    ],
)
def test_a_fault_is_the_sdks_exception(
    client: WorkspaceClient, status: int, error_code: str, kind: type[errors.DatabricksError]
) -> None:
    """Those that the SDK repeats are the cause of its TimeoutError in the end."""
    add_fault(client, status=status, error_code=error_code, times=100)
    is_repeated = status in (429, 503)
    with pytest.raises(TimeoutError if is_repeated else kind) as raised:
        list_jobs(client)
    error = raised.value.__cause__ if is_repeated else raised.value
    assert isinstance(error, kind)
    # The SDK adds its configuration to a 401 and a 403.
    assert str(error).startswith(MESSAGE)


def test_every_exception_class_has_its_test() -> None:
    classes = {*platform.STATUS_CODE_MAPPING.values(), *platform.ERROR_CODE_MAPPING.values()}
    (faults,) = test_a_fault_is_the_sdks_exception.pytestmark  # type: ignore[attr-defined]
    tested = {kind for kind, *_ in REFUSALS} | {kind for _, _, kind in faults.args[1]}
    assert classes <= tested


@pytest.mark.parametrize("status", [429, 503])
def test_the_sdk_waits_as_long_as_it_is_told(
    client: WorkspaceClient, clock: FastClock, status: int
) -> None:
    client.jobs.create(name="job", tasks=[Task("a", notebook_task=NotebookTask("/n"))])
    add_fault(client, status=status, times=2)
    assert len(list_jobs(client)) == 1
    assert clock.slept == [1, 1]
