"""Secrets through the SDK and in a task, whose output never shows them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from databricks.sdk.service.jobs import NotebookTask, Task
from databricks.sdk.service.workspace import AclPermission, ImportFormat, Language
from served import Served

from local_workspace.follow import follow

NOTEBOOK = """# Databricks notebook source
key = dbutils.secrets.get("source", "key")
print("the key is", key)
dbutils.notebook.exit(key + " has " + str(len(key)) + " characters")
"""


@pytest.fixture
def client(served: Served) -> Iterator[WorkspaceClient]:
    client = served.client
    client.secrets.create_scope("source")
    yield client
    client.secrets.delete_scope("source")


def test_a_secret_is_put_listed_read_and_deleted(client: WorkspaceClient) -> None:
    client.secrets.put_secret("source", "key", string_value="first")
    client.secrets.put_secret("source", "key", string_value="second")
    client.secrets.put_secret("source", "raw", bytes_value=base64.b64encode(b"\x00\xff").decode())

    assert [secret.key for secret in client.secrets.list_secrets("source")] == ["key", "raw"]
    assert base64.b64decode(client.secrets.get_secret("source", "key").value or "") == b"second"
    assert base64.b64decode(client.secrets.get_secret("source", "raw").value or "") == b"\x00\xff"
    client.secrets.delete_secret("source", "key")
    with pytest.raises(ResourceDoesNotExist, match="scope: source and key: key"):
        client.secrets.get_secret("source", "key")


def test_scopes_are_named_in_errors(client: WorkspaceClient) -> None:
    assert [scope.name for scope in client.secrets.list_scopes()] == ["source"]
    with pytest.raises(ResourceAlreadyExists, match="Scope source already exists!"):
        client.secrets.create_scope("source")
    with pytest.raises(ResourceDoesNotExist, match="Scope other does not exist!"):
        list(client.secrets.list_secrets("other"))
    with pytest.raises(InvalidParameterValue, match="scope name 'a/b' is invalid"):
        client.secrets.create_scope("a/b")


def test_acls_are_kept_and_shown(client: WorkspaceClient) -> None:
    def shown() -> dict[str | None, AclPermission | None]:
        return {acl.principal: acl.permission for acl in client.secrets.list_acls("source")}

    assert shown() == {"local@localhost": AclPermission.MANAGE}
    client.secrets.put_acl("source", "users", AclPermission.READ)
    client.secrets.put_acl("source", "users", AclPermission.WRITE)
    assert client.secrets.get_acl("source", "users").permission == AclPermission.WRITE
    client.secrets.delete_acl("source", "local@localhost")
    assert shown() == {"users": AclPermission.WRITE}

    with pytest.raises(ResourceDoesNotExist, match="no ACL for the principal local@localhost"):
        client.secrets.delete_acl("source", "local@localhost")
    with pytest.raises(ResourceDoesNotExist, match="Scope other does not exist!"):
        client.secrets.put_acl("other", "users", AclPermission.READ)
    body = {"scope": "source", "principal": "users", "permission": "OWN"}
    with pytest.raises(InvalidParameterValue, match="Invalid permission 'OWN'"):
        client.api_client.do("POST", "/api/2.0/secrets/acls/put", body=body)


def test_a_scope_may_be_everybodys(client: WorkspaceClient) -> None:
    with pytest.raises(InvalidParameterValue, match="initial_manage_principal is 'ann'"):
        client.secrets.create_scope("shared", initial_manage_principal="ann")
    client.secrets.create_scope("shared", initial_manage_principal="users")
    assert [acl.principal for acl in client.secrets.list_acls("shared")] == ["users"]
    client.secrets.delete_scope("shared")


def test_a_task_reads_a_secret_that_its_output_does_not_show(
    client: WorkspaceClient, served: Served
) -> None:
    client.secrets.put_secret("source", "key", string_value="hunter2-hunter2")
    path = "/Workspace/Users/local@localhost/secret"
    content = base64.b64encode(NOTEBOOK.encode()).decode()
    client.workspace.import_(
        path, content=content, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True
    )
    run = client.jobs.submit(tasks=[Task("read", notebook_task=NotebookTask(path))])  # type: ignore[list-item]
    finished = follow(client, run.response.run_id, lambda _: None)

    assert finished.tasks
    output = client.jobs.get_run_output(finished.tasks[0].run_id or 0)
    assert output.notebook_output
    assert output.notebook_output.result == "[REDACTED] has 15 characters"
    # Also when nobody knows any more that it was one.
    log = served.process.state.task_logs / f"{finished.tasks[0].run_id}.log"
    assert log.read_text() == "the key is [REDACTED]\n"
    assert (served.process.state.database.stat().st_mode & 0o777) == 0o600
