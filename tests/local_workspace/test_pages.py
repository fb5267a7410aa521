"""The pages for people, and who may see them."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.jobs import ConditionTask, ConditionTaskOp, Task
from support.waiting import PATIENCE
from support.workspace_process import workspace_process

from local_workspace.api.app import HOME_SCRIPT, PAGE_POLICY
from local_workspace.follow import follow
from local_workspace.statement import rows_of


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    with workspace_process(tmp_path_factory.mktemp("workspace")) as workspace:
        yield workspace.start()


@pytest.fixture
def browser(client: WorkspaceClient) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.get(login_link(client), timeout=PATIENCE).raise_for_status()
        yield session


def login_link(client: WorkspaceClient) -> str:
    answer = client.api_client.do("POST", "/api/local/login-codes")
    assert isinstance(answer, dict)
    return f"{client.config.host}/login?code={answer['code']}"


def condition(key: str, left: str) -> Task:
    return Task(task_key=key, condition_task=ConditionTask(ConditionTaskOp.LESS_THAN, left, "1"))


def test_a_run_page_shows_what_failed(client: WorkspaceClient, browser: requests.Session) -> None:
    job = client.jobs.create(name="<shares> & more", tasks=[condition("compare", "many")])
    assert job.job_id is not None
    run = client.jobs.run_now(job.job_id)
    follow(client, run.run_id, lambda _: None)
    client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
    follow(client, run.run_id, lambda _: None)

    page = browser.get(
        f"{client.config.host}/jobs/{job.job_id}/runs/{run.run_id}", timeout=PATIENCE
    )

    assert page.status_code == 200
    assert "&lt;shares&gt; &amp; more" in page.text
    assert "LESS_THAN compares numbers, got &#39;many&#39; and &#39;1&#39;." in page.text
    assert "Repair history" in page.text
    assert str(run.run_id) in browser.get(f"{client.config.host}/jobs", timeout=PATIENCE).text


def test_a_login_link_works_once(client: WorkspaceClient) -> None:
    link = login_link(client)
    first, second = (requests.get(link, timeout=PATIENCE, allow_redirects=False) for _ in range(2))
    assert first.status_code == 303
    assert "HttpOnly" in first.headers["Set-Cookie"]
    assert "SameSite=strict" in first.headers["Set-Cookie"]
    assert second.status_code == 401
    assert "was used before" in second.json()["message"]


def test_pages_need_a_login_and_a_cookie_opens_only_pages(
    client: WorkspaceClient, browser: requests.Session
) -> None:
    host = client.config.host
    refused = requests.get(f"{host}/jobs", timeout=PATIENCE)
    assert refused.status_code == 401
    assert "`uv run local-workspace login` prints the link" in refused.json()["message"]
    assert browser.get(f"{host}/api/2.2/jobs/list", timeout=PATIENCE).status_code == 401


def test_tables_and_volumes_are_shown(client: WorkspaceClient, browser: requests.Session) -> None:
    rows_of(client, "CREATE TABLE main.default.shares (percent DOUBLE COMMENT 'of electricity')")
    rows_of(client, "INSERT INTO main.default.shares VALUES (12.5), (NULL)")
    client.volumes.create("main", "default", "charts", VolumeType.MANAGED)
    client.files.upload("/Volumes/main/default/charts/<b>.txt", io.BytesIO(b"x"))
    explore = f"{client.config.host}/explore/data"

    schema, table, volume = (
        browser.get(f"{explore}/{page}", timeout=PATIENCE).text
        for page in ("main/default", "main/default/shares", "volumes/main/default/charts")
    )

    assert "/explore/data/main/default/shares" in schema
    assert "/explore/data/volumes/main/default/charts" in schema
    assert "of electricity" in table
    assert "<td>12.5</td>" in table
    assert "<td>NULL</td>" in table
    assert "&lt;b&gt;.txt" in volume


def test_another_host_name_is_refused(client: WorkspaceClient, browser: requests.Session) -> None:
    answer = browser.get(
        f"{client.config.host}/jobs", headers={"Host": "rebound.example"}, timeout=PATIENCE
    )
    assert answer.status_code == 403
    assert answer.json()["message"] == "The Host header names 'rebound.example', not this machine."


def test_the_address_of_a_run_leads_to_its_page(client: WorkspaceClient) -> None:
    home = requests.get(f"{client.config.host}/", timeout=PATIENCE)
    assert home.status_code == 200
    assert "/jobs/${run[1]}/runs/${run[2]}" in home.text


@pytest.mark.parametrize(
    "host", ["a b", "[::1", "127.0.0.1@evil.com", "evil.com", "127.0.0.1/x", "127.0.0.1:80:80", ""]
)
def test_another_host_or_none_that_can_be_read_is_refused(
    client: WorkspaceClient, host: str
) -> None:
    answer = requests.get(client.config.host, headers={"Host": host}, timeout=PATIENCE)
    assert answer.status_code in (400, 403)
    if answer.status_code == 403:
        assert answer.json()["message"] == f"The Host header names {host!r}, not this machine."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST"])
def test_this_host_by_its_names(client: WorkspaceClient, host: str) -> None:
    answer = requests.get(client.config.host, headers={"Host": host}, timeout=PATIENCE)
    assert answer.status_code == 200


def test_the_head_of_a_login_link_does_not_use_it_up(client: WorkspaceClient) -> None:
    link = login_link(client)
    assert requests.head(link, timeout=PATIENCE).status_code == 404
    with requests.Session() as session:
        session.get(link, timeout=PATIENCE).raise_for_status()
        # Browsers send a cookie to all ports of a host, so its name tells whose it is.
        port = client.config.host.rpartition(":")[2]
        assert [cookie.name for cookie in session.cookies] == [f"local_workspace_session_{port}"]


def test_pages_say_what_a_browser_may_load(
    client: WorkspaceClient, browser: requests.Session
) -> None:
    for path in ("/", "/jobs"):
        answer = browser.get(f"{client.config.host}{path}", timeout=PATIENCE)
        assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    script = re.search("<script>(.*?)</script>", browser.get(client.config.host).text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"sha256-{digest}" == HOME_SCRIPT


def test_a_fault_on_everything_can_be_removed(client: WorkspaceClient) -> None:
    fault = {"endpoint": "/", "status": 500, "times": 1000}
    client.api_client.do("POST", "/api/local/faults", body=fault)
    try:
        assert requests.get(client.config.host, timeout=PATIENCE).status_code == 500
    finally:
        client.api_client.do("DELETE", "/api/local/faults")
    assert requests.get(client.config.host, timeout=PATIENCE).status_code == 200
